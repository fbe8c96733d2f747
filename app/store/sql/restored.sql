-- What place_anew asks: `xact` of all tables is in one order.

-- strayed --
-- Whether something that can be seen is of a transaction that was not over here: it was over elsewhere.  A place that somebody
-- has reached may be the next transaction.
SELECT greatest((SELECT max(xact) FROM workflow_events), (SELECT max(xact) FROM messages), (SELECT max(xact) - 1 FROM followers),
    (SELECT max(xact) FROM triggers), 0) >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS strayed;

-- keep_out --
LOCK TABLE workflow_events, messages, followers, triggers IN SHARE ROW EXCLUSIVE MODE;

-- unmark --
DELETE FROM event_marks;

-- search_anew --
-- What open waits know of transactions was of that server too: messages count for them since their thread began.
UPDATE waits SET since = NULL, looked = NULL WHERE answered_at IS NULL AND (since IS NOT NULL OR looked IS NOT NULL);

-- place_anew --
-- Whole transactions keep their order; several may come into one place.  There, threads and their events are sorted, messages keep
-- their order; who follows is put before it all: some may be acted on again, nothing is passed over; and a trigger means it all.
WITH places AS MATERIALIZED (
    SELECT xact, 1 + (row_number() OVER (ORDER BY xact) - 1) * (pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1)
        / count(*) OVER () AS place
    FROM (
        SELECT xact FROM workflow_events
        UNION SELECT xact FROM messages UNION SELECT xact FROM followers UNION SELECT xact FROM triggers
    ) AS all_of_them
), of_events AS (
    UPDATE workflow_events AS e SET xact = places.place FROM places WHERE e.xact = places.xact RETURNING 1
), of_messages AS (
    UPDATE messages AS m SET xact = new.place, seq = new.seq
    FROM (
        SELECT m.tenant, m.id, m.source, places.place, row_number() OVER (PARTITION BY places.place ORDER BY m.xact, m.seq) AS seq
        FROM messages AS m JOIN places USING (xact)
    ) AS new
    WHERE (m.tenant, m.id, m.source) = (new.tenant, new.id, new.source)
    RETURNING 1
), of_followers AS (
    UPDATE followers AS f SET xact = places.place, thread = '', seq = 0 FROM places WHERE f.xact = places.xact
), of_triggers AS (
    UPDATE triggers AS t SET xact = places.place - 1 FROM places WHERE t.xact = places.xact
)
SELECT (SELECT count(*) FROM of_events) + (SELECT count(*) FROM of_messages) AS number;
