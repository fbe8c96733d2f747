-- What PostgresLogs asks.

-- add --
-- The counts of minutes in one order everywhere, so that no two processes wait for each other.
WITH told AS MATERIALIZED (
    SELECT * FROM unnest($1::timestamptz[], $2::uuid[], $3::smallint[], $4::text[], $5::text[], $6::text[], $7::text[],
        $8::text[], $9::text[], $10::int[], $11::int[], $12::text[], $13::text[], $14::uuid[]) AS told
        (at, id, level, logger, message, thread_id, execution_id, workflow, step_id, item, attempt, agent, context, process)
), added AS (
    INSERT INTO agent_logs
        (at, id, level, logger, message, thread_id, execution_id, workflow, step_id, item, attempt, agent, context, process)
    SELECT at, id, level, logger, message, thread_id, execution_id, workflow, step_id, item, attempt, agent, context::json,
        process
    FROM told
    ON CONFLICT DO NOTHING
    RETURNING at, octet_length(message) + coalesce(octet_length(context::text), 0) + 300 AS size
)
INSERT INTO agent_log_minutes AS m (minute, entries, bytes)
SELECT date_trunc('minute', at, 'UTC'), count(*), sum(size) FROM added GROUP BY 1 ORDER BY 1
ON CONFLICT (minute) DO UPDATE SET entries = m.entries + excluded.entries, bytes = m.bytes + excluded.bytes;

-- listed --
-- The filters that have an index go where /* places */ stands, the others where /* filters */ stands.
SELECT at, id, level, logger, message, thread_id, execution_id, workflow, step_id, item, attempt, agent, context, process
FROM agent_logs
WHERE true /* places */ /* filters */
ORDER BY at DESC, id DESC
LIMIT ALL /* limit */;

-- looked --
-- The last entry that such a page looks at, if there are so many.
SELECT at, id FROM agent_logs WHERE true /* places */ ORDER BY at DESC, id DESC OFFSET 0 /* look */ LIMIT 1;

-- prune --
-- The first minute that is kept is the first that is not too old, and from which on all minutes together are not too large.
WITH sums AS (
    SELECT minute, sum(bytes) OVER (ORDER BY minute DESC) AS bytes FROM agent_log_minutes
), kept AS (
    SELECT greatest(date_trunc('minute', clock_timestamp() - $1::interval, 'UTC'),
        (SELECT max(minute) + interval '1 minute' FROM sums WHERE bytes > $2::bigint)) AS since
), dropped AS (
    DELETE FROM agent_logs WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM agent_logs WHERE at < (SELECT since FROM kept) ORDER BY at, id LIMIT $3 FOR UPDATE SKIP LOCKED))
    RETURNING 1
), gone AS (
    DELETE FROM agent_log_minutes
    WHERE minute < (SELECT since FROM kept) AND (SELECT count(*) FROM dropped) < $3
)
SELECT count(*)::int AS dropped FROM dropped;
