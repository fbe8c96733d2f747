-- What PostgresPlaces asks.

-- take --
INSERT INTO followers AS known (name, xact, owner, held_until)
VALUES ($1, pg_snapshot_xmin(pg_current_snapshot())::text::bigint, $2, now() + make_interval(secs => $3::float8))
ON CONFLICT (name) DO UPDATE SET owner = EXCLUDED.owner, held_until = EXCLUDED.held_until
WHERE known.owner IS NULL OR known.owner = $2 OR known.held_until < now()
RETURNING xact, thread, seq;

-- move --
UPDATE followers SET xact = $3, thread = $4, seq = $5, updated_at = now() WHERE name = $1 AND owner = $2 RETURNING name;

-- release --
UPDATE followers SET owner = NULL, held_until = '-infinity' WHERE name = $1 AND owner = $2;
