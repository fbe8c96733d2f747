-- What PostgresMessages asks.  A message's place is its transaction and its number among those written with it.

-- part columns --
id, topic, source, type, subject, time, attributes, xact, seq, created_at

-- publish --
-- One transaction.  Rows go in the order of their key, so that two processes never wait for each other in a circle.
WITH given AS (
    SELECT * FROM unnest(
        $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::text[], $8::text[], $9::int[]
    ) WITH ORDINALITY AS g (id, source, topic, type, subject, time, data, attributes, size_bytes, seq)
)
INSERT INTO messages (id, source, topic, type, subject, time, data, attributes, size_bytes, seq)
SELECT id, source, topic, type, subject, time, data::json, attributes::json, size_bytes, seq FROM given
ORDER BY id, source, seq
ON CONFLICT DO NOTHING
RETURNING seq;

-- end --
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS xact;

-- read --
-- After the place $1, $2: of the next $6 messages those on the topics $3 or of the form $4, $5 at most and about $7 bytes.  Only
-- transactions below every one that is still open are looked at: nothing can appear before them any more.  There is one row at
-- least, with how far it has looked and how many it wanted.
WITH horizon AS (
    SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS xact
), looked AS MATERIALIZED (
    SELECT m.xact, m.seq, m.topic, m.size_bytes FROM messages AS m
    WHERE (m.xact, m.seq) > ($1::bigint, $2::bigint) AND m.xact < (SELECT xact FROM horizon)
    ORDER BY m.xact, m.seq
    LIMIT $6
), wanted AS (
    SELECT xact, seq, count(*) OVER () AS number, row_number() OVER place AS place,
        sum(size_bytes::bigint) OVER place - size_bytes AS before
    FROM looked WHERE topic = ANY ($3::text[]) OR topic ~ $4::text
    WINDOW place AS (ORDER BY xact, seq)
), chosen AS (
    SELECT xact, seq FROM wanted WHERE place <= $5 AND before < $7
), last AS (
    SELECT xact, seq FROM looked ORDER BY xact DESC, seq DESC LIMIT 1
)
SELECT horizon.xact AS horizon, (SELECT count(*) FROM looked) AS looked, last.xact AS last_xact, last.seq AS last_seq,
    (SELECT count(*) FROM wanted) AS wanted, m.*
FROM horizon
LEFT JOIN last ON true
LEFT JOIN (
    SELECT {columns}, data FROM chosen JOIN messages USING (xact, seq)
) AS m ON true
ORDER BY m.xact, m.seq;

-- listed --
-- Before the place $1, $2, newest first: of the next $3 messages those that fit, $4 at most, with the beginning of long data.
WITH looked AS MATERIALIZED (
    SELECT m.xact, m.seq, m.topic, m.source, m.created_at FROM messages AS m
    WHERE (m.xact, m.seq) < ($1::bigint, $2::bigint)
    ORDER BY m.xact DESC, m.seq DESC
    LIMIT $3
), chosen AS (
    SELECT xact, seq FROM looked WHERE true /* filters */ ORDER BY xact DESC, seq DESC LIMIT $4
), last AS (
    SELECT xact, seq FROM looked ORDER BY xact, seq LIMIT 1
)
SELECT (SELECT count(*) FROM looked) AS looked, last.xact AS last_xact, last.seq AS last_seq, m.*
FROM (SELECT) AS one
LEFT JOIN last ON true
LEFT JOIN (
    SELECT {columns}, size_bytes, CASE WHEN size_bytes <= $5 THEN data::text END AS data,
        CASE WHEN size_bytes > $5 THEN left(data::text, $6) END AS preview
    FROM chosen JOIN messages USING (xact, seq)
) AS m ON true
ORDER BY m.xact DESC, m.seq DESC;

-- find --
SELECT {columns}, data FROM messages
WHERE tenant = 'default' AND id = $1 AND ($2::text IS NULL OR source = $2::text) AND ($3::text IS NULL OR topic = $3::text)
ORDER BY xact DESC, seq DESC
LIMIT 10;

-- prune --
-- $1: days, $2: who follows in any case, $3: how many.  One that nobody has followed by for as long as that holds nothing up.
WITH passed AS (
    SELECT min(xact) AS xact FROM followers
    WHERE name = ANY ($2::text[]) OR greatest(held_until, updated_at) > now() - make_interval(secs => $1::float8 * 86400)
), oldest AS MATERIALIZED (
    SELECT m.tenant, m.id, m.source, m.created_at FROM messages AS m
    WHERE m.xact < coalesce((SELECT xact FROM passed), pg_snapshot_xmin(pg_current_snapshot())::text::bigint)
    ORDER BY m.xact, m.seq
    LIMIT $3
), old AS (
    SELECT m.tenant, m.id, m.source FROM messages AS m JOIN oldest USING (tenant, id, source)
    WHERE oldest.created_at < now() - make_interval(secs => $1::float8 * 86400)
    FOR UPDATE OF m SKIP LOCKED
)
DELETE FROM messages AS m USING old
WHERE (m.tenant, m.id, m.source) = (old.tenant, old.id, old.source)
RETURNING 1;
