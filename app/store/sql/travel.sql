-- What PostgresTravels asks.

-- segments --
-- One pass over the narrow part of the thread's versions: a run begins where the version before is not the parent, or is another
-- execution's.
WITH versions AS (
    SELECT version, parent_version, execution_id, hidden, created_at,
        parent_version IS DISTINCT FROM lag(version) OVER earlier
            OR execution_id IS DISTINCT FROM lag(execution_id) OVER earlier AS begins
    FROM checkpoints
    WHERE thread_id = $1
    WINDOW earlier AS (ORDER BY version)
), numbered AS (
    SELECT *, count(*) FILTER (WHERE begins) OVER (ORDER BY version) AS run FROM versions
)
SELECT (array_agg(execution_id ORDER BY version))[1] AS execution_id, min(version) AS first_version,
    max(version) AS last_version, max(parent_version) FILTER (WHERE begins) AS parent_version,
    count(*) FILTER (WHERE NOT hidden) AS shown, min(created_at) FILTER (WHERE begins) AS created_at
FROM numbered
GROUP BY run
ORDER BY first_version;

-- executions_of --
SELECT id, thread_id, tenant, workflow_id, workflow_name, workflow_version, kind, status, NULL AS input,
    NULL AS input_sha256, parameters, triggered_by, external_run_id, created_at, started_at, completed_at, error
FROM workflow_executions
WHERE thread_id = $1 AND ($2::timestamptz IS NULL OR (created_at, id) > ($2, $3::uuid))
ORDER BY created_at, id
LIMIT $4;

-- turns --
SELECT DISTINCT ON (execution_id) thread_id, seq, execution_id, name, step_name AS step_id, run_id, attempt, version, at, data
FROM workflow_events
WHERE thread_id = $1 AND execution_id = ANY ($2::uuid[])
    AND name IN ('workflow_start', 'workflow_resumed', 'workflow_rolled_back', 'state_quarantined')
ORDER BY execution_id, seq;

-- derived --
SELECT id, thread_id, tenant, workflow_id, workflow_name, workflow_version, kind, status, NULL AS input,
    NULL AS input_sha256, parameters, triggered_by, external_run_id, created_at, started_at, completed_at, error
FROM workflow_executions
WHERE kind = $2 AND kind IN ('fork', 'invoke') AND parameters IS NOT NULL AND execution_origin(parameters) = $1
    AND ($3::uuid IS NULL OR id > $3::uuid)
ORDER BY id
LIMIT $4;

-- children_of --
SELECT thread_id, tenant, definition_id, execution_id, status, epoch, rev, incarnation_id, head_version, last_version,
    last_seq, wake_at, signal, queue, priority, recoveries, parent_thread_id, parent_run_id, created_at,
    updated_at
FROM threads
WHERE parent_thread_id = $1 AND ($2::text IS NULL OR thread_id COLLATE "C" > $2)
ORDER BY thread_id COLLATE "C"
LIMIT $3;

-- weight --
SELECT COALESCE(sum(octet_length(output::text)), 0)::bigint AS weight
FROM workflow_steps
WHERE thread_id = $1 AND id = ANY ($2::uuid[]);

-- began_at --
SELECT version
FROM workflow_events
WHERE thread_id = $1 AND run_id = $2::uuid AND name = 'step_start'
ORDER BY seq
LIMIT 1;

-- runs_of --
-- Ids are given in the order of beginnings: the primary key, read backwards.
SELECT id, thread_id, execution_id, key_execution_id, step_name AS step_id, step_index, status, agent, agent_version, variant,
    call, attempt, retry_count, output_sha256, error, session_id, started_at, completed_at, duration_ms,
    next_attempt_at, input_tokens, output_tokens, cost_usd
FROM workflow_steps
WHERE thread_id = $1 AND step_name = $2
ORDER BY id DESC
LIMIT $3;

-- values_of --
SELECT input, output, octet_length(input::text) AS input_bytes, octet_length(output::text) AS output_bytes
FROM workflow_steps
WHERE thread_id = $1 AND id = $2::uuid;

-- sizes_of --
-- The values stay in the database.
SELECT NULL::json AS input, NULL::json AS output, octet_length(input::text) AS input_bytes,
    octet_length(output::text) AS output_bytes
FROM workflow_steps
WHERE thread_id = $1 AND id = $2::uuid;
