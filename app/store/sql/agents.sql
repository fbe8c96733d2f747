-- What PostgresAgents asks.  Versions change under the lock of their agent's name; `hash` and, for a change by hand, the next
-- version are made by triggers.  A content is given as (kind, description, config, input, output, tags), from $3 on.

-- part columns --
name, version, current, kind, config, description, input_schema, output_schema, tags, source, origin, hash, created_at

-- part given --
agent_hash($3::text, $4::text, $5::json, $6::json, $7::json, $8::text[])

-- load --
-- Of what is known ($2, $3 by name and version) without its content.
SELECT a.name, a.version, a.current, a.kind, a.source, a.origin, a.hash, a.created_at, known.version IS NULL AS new,
    CASE WHEN known.version IS NULL THEN config END AS config,
    CASE WHEN known.version IS NULL THEN description END AS description,
    CASE WHEN known.version IS NULL THEN input_schema END AS input_schema,
    CASE WHEN known.version IS NULL THEN output_schema END AS output_schema,
    CASE WHEN known.version IS NULL THEN tags END AS tags
FROM agents AS a LEFT JOIN unnest($2::text[], $3::int[], $4::text[]) AS known (name, version, hash)
    ON known.name = a.name AND known.version = a.version AND known.hash = a.hash
WHERE a.tenant = $1 AND a.current;

-- lock --
SELECT pg_advisory_xact_lock(hashtextextended('agent/' || $1::text || '/' || $2::text, 0));

-- current --
SELECT {columns} FROM agents WHERE tenant = $1 AND name = $2 AND current;

-- same --
-- The current version if it is this content already, from the same place.
SELECT {columns} FROM agents
WHERE tenant = $1 AND name = $2 AND current AND hash = {given} AND source = $9 AND origin IS NOT DISTINCT FROM $10::text;

-- retire --
UPDATE agents SET current = false WHERE tenant = $1 AND name = $2 AND current;

-- revive --
UPDATE agents SET current = true, deleted_at = NULL, source = $9, origin = $10::text
WHERE tenant = $1 AND name = $2 AND version = (
    SELECT max(version) FROM agents WHERE tenant = $1 AND name = $2 AND hash = {given})
RETURNING {columns};

-- insert --
INSERT INTO agents (tenant, name, version, kind, description, config, input_schema, output_schema, tags, source, origin)
VALUES ($1, $2, NULL, $3, $4, $5::json, $6::json, $7::json, $8::text[], $9, $10::text)
RETURNING {columns};

-- delete --
UPDATE agents SET current = false, deleted_at = clock_timestamp() WHERE tenant = $1 AND name = $2 AND current;

-- version --
SELECT {columns} FROM agents WHERE tenant = $1 AND name = $2 AND version = $3;

-- note --
INSERT INTO agent_events (tenant, agent, id, event, data) VALUES ($1, $2, $3::uuid, $4, $5::json);

-- events --
SELECT id, at, agent, event, data FROM agent_events
WHERE tenant = $1 AND agent = $2 AND ($3::timestamptz IS NULL OR (at, id) < ($3::timestamptz, $4::uuid))
ORDER BY at DESC, id DESC
LIMIT $5;
