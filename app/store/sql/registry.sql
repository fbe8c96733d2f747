-- What PostgresRegistry asks.  A version is given under the lock of its name; `version IS NULL` marks ad hoc documents.

-- lock_name --
SELECT pg_advisory_xact_lock(hashtextextended($1, 0));

-- register --
-- A known hash keeps its version; one that had none so far gets the next.  $6: ad hoc, no version wanted.
INSERT INTO workflows AS w (id, tenant, name, version, hash, document)
SELECT $1, $2, $3, CASE WHEN $6::boolean THEN NULL ELSE COALESCE(max(version), 0) + 1 END, $4, $5
FROM workflows
WHERE tenant = $2 AND name = $3
ON CONFLICT (tenant, hash) DO UPDATE SET version = COALESCE(w.version, EXCLUDED.version), used_at = now()
RETURNING id, tenant, name, version, hash, document, created_at;

-- by_hash --
SELECT id, tenant, name, version, hash, document, created_at
FROM workflows
WHERE tenant = $1 AND hash = $2;

-- touch --
-- Somebody starts it directly now: retention leaves it alone for a while.
UPDATE workflows SET used_at = now() WHERE id = $1 RETURNING id;

-- by_name --
SELECT id, tenant, name, version, hash, document, created_at
FROM workflows
WHERE tenant = $1 AND name = $2 AND version IS NOT NULL AND ($3::bigint IS NULL OR version = $3::bigint)
ORDER BY version DESC
LIMIT 1;

-- by_id --
SELECT id, tenant, name, version, hash, document, created_at
FROM workflows
WHERE id = $1::uuid;

-- newest_of_each --
SELECT DISTINCT ON (name COLLATE "C") id, tenant, name, version, hash, document, created_at
FROM workflows
WHERE tenant = $1 AND name COLLATE "C" > $2 AND version IS NOT NULL
ORDER BY name COLLATE "C", version DESC
LIMIT $3;

-- versions --
SELECT id, tenant, name, version, hash, document, created_at
FROM workflows
WHERE tenant = $1 AND name = $2 AND version IS NOT NULL AND ($3::bigint IS NULL OR version < $3::bigint)
ORDER BY version DESC
LIMIT $4;
