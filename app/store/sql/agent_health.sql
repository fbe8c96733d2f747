-- What PostgresAgentHealth asks: one row an agent and minute, which all processes add to.

-- add --
-- In one order everywhere, so that no two processes wait for each other.
INSERT INTO agent_minutes AS m (tenant, agent, minute, ok, failed, rejected, buckets, error, error_at)
SELECT $1, agent, minute, ok, failed, rejected, buckets::bigint[], error::json, error_at
FROM unnest($2::text[], $3::timestamptz[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[], $8::text[],
    $9::timestamptz[]) AS told (agent, minute, ok, failed, rejected, buckets, error, error_at)
ORDER BY agent, minute
ON CONFLICT (tenant, agent, minute) DO UPDATE SET
    ok = m.ok + EXCLUDED.ok,
    failed = m.failed + EXCLUDED.failed,
    rejected = m.rejected + EXCLUDED.rejected,
    buckets = agent_buckets(m.buckets, EXCLUDED.buckets),
    error = CASE WHEN EXCLUDED.error_at >= coalesce(m.error_at, '-infinity') THEN EXCLUDED.error ELSE m.error END,
    error_at = greatest(m.error_at, EXCLUDED.error_at);

-- over --
WITH minutes AS (
    SELECT * FROM agent_minutes
    WHERE tenant = $1 AND agent = $2 AND minute > clock_timestamp() - $3::interval - interval '1 minute'
), last AS (
    SELECT error, error_at FROM agent_minutes
    WHERE tenant = $1 AND agent = $2 AND error_at IS NOT NULL
    ORDER BY minute DESC LIMIT 1
), places AS (
    SELECT place, sum(counted)::bigint AS counted
    FROM minutes, unnest(minutes.buckets) WITH ORDINALITY AS each (counted, place)
    GROUP BY place
)
SELECT coalesce(sum(ok), 0)::bigint AS ok, coalesce(sum(failed), 0)::bigint AS failed,
    coalesce(sum(rejected), 0)::bigint AS rejected,
    (SELECT array_agg(counted ORDER BY place) FROM places) AS buckets,
    (SELECT error FROM last) AS error, (SELECT error_at FROM last) AS error_at
FROM minutes;

-- prune --
DELETE FROM agent_minutes WHERE (tenant, agent, minute) IN (
    SELECT tenant, agent, minute FROM agent_minutes
    WHERE minute < clock_timestamp() - $1::interval
    ORDER BY minute LIMIT $2 FOR UPDATE SKIP LOCKED)
RETURNING minute;
