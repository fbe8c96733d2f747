-- What PostgresPlaces asks.

-- take --
-- Who finds another at it locks no row, and so writes nothing.  One that serves and finds a process that is known no more need not
-- wait until its lease is over.
WITH held AS (
    SELECT FROM followers AS f WHERE name = $1 AND owner <> $2 AND held_until >= now() AND NOT (
        EXISTS (SELECT FROM incarnations WHERE id::text = $2) AND NOT EXISTS (SELECT FROM incarnations WHERE id::text = f.owner)
    )
)
INSERT INTO followers AS known (name, xact, owner, held_until)
SELECT $1, pg_snapshot_xmin(pg_current_snapshot())::text::bigint, $2, now() + make_interval(secs => $3::float8)
WHERE NOT EXISTS (SELECT FROM held)
ON CONFLICT (name) DO UPDATE SET owner = EXCLUDED.owner, held_until = EXCLUDED.held_until
WHERE known.owner IS NULL OR known.owner = $2 OR known.held_until < now()
    OR NOT EXISTS (SELECT FROM incarnations WHERE id::text = known.owner)
        AND EXISTS (SELECT FROM incarnations WHERE id::text = $2)
RETURNING xact, thread, seq;

-- renew --
UPDATE followers SET held_until = now() + make_interval(secs => $3::float8) WHERE owner = $1 AND name = ANY ($2::text[])
RETURNING name;

-- begun --
SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS xact;

-- move --
UPDATE followers SET xact = $3, thread = $4, seq = $5, updated_at = now() WHERE name = $1 AND owner = $2 RETURNING name;

-- release --
UPDATE followers SET owner = NULL, held_until = '-infinity' WHERE name = $1 AND owner = $2;
