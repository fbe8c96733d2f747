-- What PostgresReads asks.  Columns come under the names of the records' fields; JSON arrives as its exact text.

-- thread --
SELECT thread_id, tenant, definition_id, execution_id, status, epoch, rev, incarnation_id, head_version, last_version,
    last_seq, wake_at, signal, queue, priority, recoveries, parent_thread_id, parent_run_id, created_at,
    updated_at
FROM threads
WHERE thread_id = $1;

-- threads --
SELECT thread_id, tenant, definition_id, execution_id, status, epoch, rev, incarnation_id, head_version, last_version,
    last_seq, wake_at, signal, queue, priority, recoveries, parent_thread_id, parent_run_id, created_at,
    updated_at
FROM threads
WHERE thread_id = ANY ($1::text[]);

-- children --
SELECT thread_id, tenant, definition_id, execution_id, status, epoch, rev, incarnation_id, head_version, last_version,
    last_seq, wake_at, signal, queue, priority, recoveries, parent_thread_id, parent_run_id, created_at,
    updated_at
FROM threads
WHERE parent_thread_id = $1
ORDER BY thread_id COLLATE "C";

-- execution --
SELECT id, thread_id, tenant, workflow_id, workflow_name, workflow_version, kind, status, input, input_sha256, parameters,
    triggered_by, external_run_id, created_at, started_at, completed_at, output, output_sha256, context, error
FROM workflow_executions
WHERE id = $1::uuid;

-- executions --
SELECT id, thread_id, tenant, workflow_id, workflow_name, workflow_version, kind, status, NULL AS input,
    NULL AS input_sha256, parameters, triggered_by, external_run_id, created_at, started_at, completed_at, error
FROM workflow_executions
WHERE true /* filters */
ORDER BY created_at DESC, id DESC
LIMIT $1;

-- executions_of_workflow --
-- $2: the statuses, one look into the index each, which has the newest of a workflow and a status first.
SELECT found.id, thread_id, tenant, workflow_id, workflow_name, workflow_version, kind, found.status, NULL AS input,
    NULL AS input_sha256, parameters, triggered_by, external_run_id, created_at, started_at, completed_at, error
FROM unnest($2::text[]) AS one (status)
CROSS JOIN LATERAL (
    SELECT * FROM workflow_executions AS execution
    WHERE execution.status = one.status /* filters */
    ORDER BY created_at DESC, id DESC
    LIMIT $1
) AS found
ORDER BY created_at DESC, found.id DESC
LIMIT $1;

-- oldest_executions --
-- The indexes by status, and by workflow and status, read backwards.
SELECT id, thread_id, tenant, workflow_id, workflow_name, workflow_version, kind, status, NULL AS input,
    NULL AS input_sha256, parameters, triggered_by, external_run_id, created_at, started_at, completed_at, error
FROM workflow_executions
WHERE true /* filters */
ORDER BY created_at, id
LIMIT $1;

-- count_executions --
SELECT count(*) AS total
FROM (SELECT 1 FROM workflow_executions WHERE true /* filters */ LIMIT $1) AS found;

-- count_executions_of_workflow --
SELECT least($1::bigint, count(*)) AS total
FROM unnest($2::text[]) AS one (status)
CROSS JOIN LATERAL (
    SELECT 1 FROM workflow_executions AS execution WHERE execution.status = one.status /* filters */ LIMIT $1::bigint
) AS found;

-- checkpoints --
SELECT thread_id, version, parent_version, base_version, execution_id, step_name AS step_id, trigger, manifest, sha256,
    size_bytes, progress, created_at, hidden, format
FROM checkpoints
WHERE thread_id = $1 AND version >= $2::bigint AND version <= COALESCE($3::bigint, 2147483647)
ORDER BY version
LIMIT $4;

-- steps --
SELECT id, thread_id, execution_id, key_execution_id, step_name AS step_id, step_index, status, agent, agent_version, variant,
    call, attempt, retry_count, input, output, output_sha256, error, session_id, started_at, completed_at, duration_ms,
    next_attempt_at, input_tokens, output_tokens, cost_usd
FROM workflow_steps
WHERE thread_id = $1
    AND ($2::uuid IS NULL OR execution_id = $2::uuid)
    AND ($3::uuid[] IS NULL OR id = ANY ($3::uuid[]))
ORDER BY step_index, id;

-- steps_without_values --
-- A large value lives out of line: not naming its column spares reading it.
SELECT id, thread_id, execution_id, key_execution_id, step_name AS step_id, step_index, status, agent, agent_version, variant,
    call, attempt, retry_count, output_sha256, error, session_id, started_at, completed_at, duration_ms,
    next_attempt_at, input_tokens, output_tokens, cost_usd
FROM workflow_steps
WHERE thread_id = $1
    AND ($2::uuid IS NULL OR execution_id = $2::uuid)
    AND ($3::uuid[] IS NULL OR id = ANY ($3::uuid[]))
ORDER BY step_index, id;

-- items --
SELECT key_execution_id, step_name AS step_id, item, status, attempt, retry_count, agent, agent_version, output, output_sha256,
    error, session_id, started_at, completed_at, next_attempt_at
FROM workflow_items
WHERE thread_id = $1 AND key_execution_id = $2::uuid AND step_name = $3 AND item >= $4
ORDER BY item
LIMIT $5;

-- parts_ended --
SELECT coalesce(array_agg(item ORDER BY item) FILTER (WHERE status = 'completed'), '{}') AS completed,
    coalesce(array_agg(item ORDER BY item) FILTER (WHERE status = 'failed'), '{}') AS failed
FROM workflow_items
WHERE thread_id = $1 AND key_execution_id = $2::uuid AND step_name = $3;

-- parts_open --
SELECT key_execution_id, step_name AS step_id, item, status, attempt, retry_count, agent, agent_version, output,
    output_sha256, error, session_id, started_at, completed_at, next_attempt_at
FROM workflow_items
WHERE thread_id = $1 AND key_execution_id = $2::uuid AND step_name = $3 AND status NOT IN ('completed', 'failed')
ORDER BY item;

-- run_input --
SELECT input
FROM workflow_steps
WHERE thread_id = $1 AND id = $2::uuid;

-- item_counts --
SELECT status, count(*) AS number
FROM workflow_items
WHERE thread_id = $1 AND key_execution_id = $2::uuid AND step_name = $3
GROUP BY status;

-- item_page --
-- Of a long output only its beginning leaves the database; see domain.events.preview.
SELECT key_execution_id, step_name AS step_id, item, status, attempt, retry_count, agent, agent_version,
    CASE WHEN octet_length(output::text) > $7::bigint
        THEN json_build_object(
            'truncated', true, 'size_bytes', octet_length(output::text), 'preview', left(output::text, 1024))
        ELSE output END AS output,
    output_sha256, error, session_id, started_at, completed_at, next_attempt_at
FROM workflow_items
WHERE thread_id = $1 AND key_execution_id = $2::uuid AND step_name = $3 AND item >= $4
    AND ($5::text IS NULL OR status = $5)
ORDER BY item
LIMIT $6;

-- notes --
SELECT key_execution_id, step_name AS step_id, item, place, name, value, sha256, created_at
FROM workflow_notes
WHERE thread_id = $1 AND key_execution_id = $2::uuid AND step_name = $3 AND item = $4
ORDER BY place;

-- spent --
SELECT coalesce(sum(input_tokens), 0)::bigint AS input_tokens, coalesce(sum(output_tokens), 0)::bigint AS output_tokens,
    coalesce(sum(cost_usd), 0)::float8 AS cost_usd
FROM workflow_steps
WHERE thread_id = $1 AND input_tokens IS NOT NULL;

-- usage --
-- $1 to $3: whether it is summed by day, workflow and agent; $7 to $9: the last of the page before, if there was one.
-- Only runs that have cost something are in the index over completed_at.
SELECT day, workflow, agent, step_runs, input_tokens, output_tokens, cost_usd
FROM (
    SELECT CASE WHEN $1::boolean THEN to_char(r.completed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') ELSE '' END AS day,
        CASE WHEN $2::boolean THEN COALESCE(x.workflow_name, '') ELSE '' END AS workflow,
        CASE WHEN $3::boolean THEN COALESCE(r.agent, '') ELSE '' END AS agent,
        count(*) AS step_runs, sum(r.input_tokens)::bigint AS input_tokens,
        COALESCE(sum(r.output_tokens), 0)::bigint AS output_tokens, COALESCE(sum(r.cost_usd), 0)::float8 AS cost_usd
    FROM workflow_steps AS r
    LEFT JOIN workflow_executions AS x ON $2::boolean AND x.thread_id = r.thread_id AND x.id = r.execution_id
    WHERE r.input_tokens IS NOT NULL AND r.completed_at >= COALESCE($4::timestamptz, '-infinity')
        AND r.completed_at < COALESCE($5::timestamptz, 'infinity')
    GROUP BY 1, 2, 3
) AS sums
WHERE $7::text IS NULL OR (day COLLATE "C", workflow COLLATE "C", agent COLLATE "C") > ($7, $8::text, $9::text)
ORDER BY day COLLATE "C", workflow COLLATE "C", agent COLLATE "C"
LIMIT $6;

-- quarantined --
SELECT id, kind, version, run_id, execution_id, step_name AS step_id, problem, expected, stored, found_at
FROM quarantine
WHERE thread_id = $1
ORDER BY found_at, id;

-- part result --
-- As domain.events.shorten tells it: of a long result only its beginning leaves the database.
CASE WHEN length(value.text) > 65536
        THEN json_build_object('truncated', true, 'size_bytes', octet_length(value.text), 'preview', left(value.text, 1024))::text
        ELSE value.text END AS result;

-- events --
SELECT e.thread_id, e.seq, e.execution_id, e.name, e.step_name AS step_id, e.run_id, e.attempt, e.version, e.at, e.data,
    {result}
FROM workflow_events AS e
LEFT JOIN workflow_steps AS s
    ON s.thread_id = e.thread_id AND s.id = e.run_id AND e.name IN ('step_complete', 'step_skipped')
LEFT JOIN workflow_executions AS x
    ON x.thread_id = e.thread_id AND x.id = e.execution_id AND e.name = 'workflow_complete'
CROSS JOIN LATERAL (SELECT COALESCE(s.output, x.output)::text AS text OFFSET 0) AS value -- taken out of its place once
WHERE e.thread_id = $1 AND e.seq > $2
ORDER BY e.seq
LIMIT $3;

-- part page --
-- The events of transactions $1 <= xact < $2 that stand after the place ($3, $4, $5); what is joined to them sees only the page.
SELECT *
FROM workflow_events
WHERE xact >= $1 AND xact < $2 AND (xact, thread_id COLLATE "C", seq) > ($3, $4, $5)
ORDER BY xact, thread_id COLLATE "C", seq
LIMIT $6

-- feed --
-- Those of a thread that is gone have no status.
SELECT e.thread_id, e.seq, e.execution_id, e.name, e.step_name AS step_id, e.run_id, e.attempt, e.version, e.at, e.data,
    {result}, e.xact, COALESCE(w.name, '') AS workflow, t.status
FROM ({page}) AS e
LEFT JOIN threads AS t ON t.thread_id = e.thread_id
LEFT JOIN workflows AS w ON w.id = t.definition_id
LEFT JOIN workflow_steps AS s
    ON s.thread_id = e.thread_id AND s.id = e.run_id AND e.name IN ('step_complete', 'step_skipped')
LEFT JOIN workflow_executions AS x
    ON x.thread_id = e.thread_id AND x.id = e.execution_id AND e.name = 'workflow_complete'
CROSS JOIN LATERAL (SELECT COALESCE(s.output, x.output)::text AS text OFFSET 0) AS value
ORDER BY e.xact, e.thread_id COLLATE "C", e.seq;

-- feed_bare --
-- The same without results: the rows that hold them are not read.
SELECT e.thread_id, e.seq, e.execution_id, e.name, e.step_name AS step_id, e.run_id, e.attempt, e.version, e.at, e.data,
    NULL AS result, e.xact, COALESCE(w.name, '') AS workflow, t.status
FROM ({page}) AS e
LEFT JOIN threads AS t ON t.thread_id = e.thread_id
LEFT JOIN workflows AS w ON w.id = t.definition_id
ORDER BY e.xact, e.thread_id COLLATE "C", e.seq;

-- feed_end --
-- The oldest transaction still open, or the next one: all before it are over and visible, all from it on are still to come.
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS xact;

-- idempotency --
SELECT key, tenant, request_sha256, thread_id, execution_id
FROM idempotency_keys
WHERE tenant = $1 AND key = $2;

-- ping --
SELECT 1 AS one;

-- size --
SELECT COALESCE(sum(pg_total_relation_size(oid)), 0)::bigint AS size_bytes
FROM pg_class
WHERE relkind = 'r' AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'threads'::regclass);
