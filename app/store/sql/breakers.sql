-- What PostgresBreakers asks.  A breaker is written only by whoever saw its last revision: $4 is that revision + 1.

-- load --
-- The time stands in a row of its own, so that it comes without any breaker too.
SELECT clock_timestamp() AS now, agent, tenant, state, forced, reason, trips, rev, opened_at, probe_at, probe_by, closed_at,
    changed_at
FROM (SELECT $1::text AS tenant) AS whose LEFT JOIN agent_breakers USING (tenant)
ORDER BY agent;

-- one --
SELECT clock_timestamp() AS now, agent, tenant, state, forced, reason, trips, rev, opened_at, probe_at, probe_by, closed_at,
    changed_at
FROM (SELECT $1::text AS tenant, $2::text AS agent) AS which LEFT JOIN agent_breakers USING (tenant, agent);

-- insert --
INSERT INTO agent_breakers (tenant, agent, state, rev, forced, reason, trips, opened_at, probe_at, probe_by, closed_at,
    changed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::uuid, $11, $12)
ON CONFLICT DO NOTHING
RETURNING rev;

-- update --
UPDATE agent_breakers
SET state = $3, rev = $4, forced = $5, reason = $6, trips = $7, opened_at = $8, probe_at = $9, probe_by = $10::uuid,
    closed_at = $11, changed_at = $12
WHERE tenant = $1 AND agent = $2 AND rev = $4 - 1
RETURNING rev;
