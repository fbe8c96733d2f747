-- Threads out of the store and into it.  `X` gives the rows of a kind as a file holds them (see domain.transfer), `X_size` how
-- many there are and how many bytes the largest has.

-- definition --
SELECT id, name, version, hash, document
FROM workflows
WHERE id IN (
    SELECT definition_id FROM threads WHERE thread_id = $1
    UNION SELECT workflow_id FROM workflow_executions WHERE thread_id = $1 AND workflow_id IS NOT NULL
)
ORDER BY id;

-- definition_size --
SELECT count(*) AS rows, coalesce(max(coalesce(octet_length(document::text), 0)), 0)::bigint AS largest
FROM workflows
WHERE id IN (
    SELECT definition_id FROM threads WHERE thread_id = $1
    UNION SELECT workflow_id FROM workflow_executions WHERE thread_id = $1 AND workflow_id IS NOT NULL
);

-- thread --
SELECT thread_id, definition_id, execution_id, status, epoch, rev, head_version, last_version, last_seq, wake_at,
    queue, priority, recoveries, parent_thread_id, parent_run_id, created_at, updated_at
FROM threads
WHERE thread_id = $1;

-- thread_size --
SELECT count(*) AS rows, coalesce(max(0), 0)::bigint AS largest
FROM threads
WHERE thread_id = $1;

-- execution --
SELECT id, workflow_id, workflow_name, workflow_version, kind, status, input, input_sha256, parameters, triggered_by,
    external_run_id, created_at, started_at, completed_at, output, output_sha256, context, error
FROM workflow_executions
WHERE thread_id = $1
ORDER BY created_at, id;

-- execution_size --
SELECT count(*) AS rows, coalesce(max(
    coalesce(octet_length(input::text), 0)
    + coalesce(octet_length(parameters::text), 0)
    + coalesce(octet_length(output::text), 0)
    + coalesce(octet_length(context::text), 0)
    + coalesce(octet_length(error::text), 0)
), 0)::bigint AS largest
FROM workflow_executions
WHERE thread_id = $1;

-- step --
SELECT id, execution_id, key_execution_id, step_name AS step_id, step_index, status, agent, agent_version, variant,
    call, attempt, retry_count, input, output, output_sha256, error, session_id, started_at, completed_at, duration_ms,
    next_attempt_at, input_tokens, output_tokens, cost_usd
FROM workflow_steps
WHERE thread_id = $1
ORDER BY id;

-- step_size --
SELECT count(*) AS rows, coalesce(max(
    coalesce(octet_length(input::text), 0)
    + coalesce(octet_length(output::text), 0)
    + coalesce(octet_length(error::text), 0)
), 0)::bigint AS largest
FROM workflow_steps
WHERE thread_id = $1;

-- item --
SELECT key_execution_id, step_name AS step_id, item, status, attempt, retry_count, agent, agent_version, output,
    output_sha256, error, session_id, started_at, completed_at, next_attempt_at
FROM workflow_items
WHERE thread_id = $1
ORDER BY key_execution_id, step_name, item;

-- item_size --
SELECT count(*) AS rows, coalesce(max(coalesce(octet_length(output::text), 0) + coalesce(octet_length(error::text), 0)), 0)::bigint AS largest
FROM workflow_items
WHERE thread_id = $1;

-- note --
SELECT key_execution_id, step_name AS step_id, item, place, name, value, sha256, created_at
FROM workflow_notes
WHERE thread_id = $1
ORDER BY key_execution_id, step_name, item, place;

-- note_size --
SELECT count(*) AS rows, coalesce(max(coalesce(octet_length(value::text), 0)), 0)::bigint AS largest
FROM workflow_notes
WHERE thread_id = $1;

-- checkpoint --
SELECT version, parent_version, base_version, execution_id, step_name AS step_id, trigger, manifest, sha256,
    size_bytes, progress, created_at, hidden, format
FROM checkpoints
WHERE thread_id = $1
ORDER BY version;

-- checkpoint_size --
SELECT count(*) AS rows, coalesce(max(coalesce(octet_length(manifest::text), 0)), 0)::bigint AS largest
FROM checkpoints
WHERE thread_id = $1;

-- event --
SELECT seq, execution_id, name, step_name AS step_id, run_id, attempt, version, at, data
FROM workflow_events
WHERE thread_id = $1
ORDER BY seq;

-- event_size --
SELECT count(*) AS rows, coalesce(max(coalesce(octet_length(data::text), 0)), 0)::bigint AS largest
FROM workflow_events
WHERE thread_id = $1;

-- gate --
SELECT key_execution_id, step_name AS step_id, item, round, run_id, title, show, form, assignees, opened_at,
    timeout_at, answer, answer_sha256, answered_by, answered_at, via
FROM gates
WHERE thread_id = $1
ORDER BY key_execution_id, step_name, item, round;

-- gate_size --
SELECT count(*) AS rows, coalesce(max(
    coalesce(octet_length(show::text), 0)
    + coalesce(octet_length(form::text), 0)
    + coalesce(octet_length(answer::text), 0)
), 0)::bigint AS largest
FROM gates
WHERE thread_id = $1;

-- wait --
-- From where on messages count stands in the transactions of this database: elsewhere it is since the thread was imported.
SELECT key_execution_id, step_name AS step_id, item, round, run_id, topic, signal, match, given, begin_seq, opened_at, timeout_at,
    answer, answer_sha256, answered_by, answered_at, via, message_sha256, error
FROM waits
WHERE thread_id = $1
ORDER BY key_execution_id, step_name, item, round;

-- wait_size --
SELECT count(*) AS rows, coalesce(max(
    coalesce(octet_length(given::text), 0)
    + coalesce(octet_length(answer::text), 0)
    + coalesce(octet_length(error::text), 0)
), 0)::bigint AS largest
FROM waits
WHERE thread_id = $1;

-- signal --
SELECT place, name, value, value_sha256, sent_by, sent_at, at_seq, taken_at, key_execution_id, step_name AS step_id, item, round
FROM signals
WHERE thread_id = $1
ORDER BY place;

-- signal_size --
SELECT count(*) AS rows, coalesce(max(octet_length(value::text)), 0)::bigint AS largest
FROM signals
WHERE thread_id = $1;

-- quarantine --
SELECT id, kind, version, run_id, execution_id, step_name AS step_id, problem, expected, stored, found_at
FROM quarantine
WHERE thread_id = $1
ORDER BY found_at, id;

-- quarantine_size --
SELECT count(*) AS rows, coalesce(max(
    coalesce(octet_length(problem), 0)
    + coalesce(octet_length(expected), 0)
    + coalesce(octet_length(stored), 0)
), 0)::bigint AS largest
FROM quarantine
WHERE thread_id = $1;

-- graph_run --
SELECT run_key, fence, last_seq
FROM langgraph_runs
WHERE thread_id = $1
ORDER BY run_key;

-- graph_run_size --
SELECT count(*) AS rows, coalesce(max(0), 0)::bigint AS largest
FROM langgraph_runs
WHERE thread_id = $1;

-- graph_checkpoint --
SELECT run_key, ns, checkpoint_id, parent_id, seq, run_id, kind, data, metadata, channels, versions
FROM langgraph_checkpoints
WHERE thread_id = $1
ORDER BY run_key, seq, ns, checkpoint_id;

-- graph_checkpoint_size --
SELECT count(*) AS rows, coalesce(max(coalesce(octet_length(data), 0) + coalesce(octet_length(metadata), 0)), 0)::bigint AS largest
FROM langgraph_checkpoints
WHERE thread_id = $1;

-- graph_value --
SELECT run_key, ns, channel, version, kind, data
FROM langgraph_blobs
WHERE thread_id = $1
ORDER BY run_key, ns, channel, version;

-- graph_value_size --
SELECT count(*) AS rows, coalesce(max(coalesce(octet_length(data), 0)), 0)::bigint AS largest
FROM langgraph_blobs
WHERE thread_id = $1;

-- graph_write --
SELECT run_key, ns, checkpoint_id, task_id, idx, task_path, channel, kind, data
FROM langgraph_writes
WHERE thread_id = $1
ORDER BY run_key, ns, checkpoint_id, task_id, idx;

-- graph_write_size --
SELECT count(*) AS rows, coalesce(max(coalesce(octet_length(data), 0)), 0)::bigint AS largest
FROM langgraph_writes
WHERE thread_id = $1;

-- children --
SELECT count(*) AS rows FROM threads WHERE parent_thread_id = $1;

-- taken --
SELECT EXISTS (SELECT FROM workflow_executions WHERE id = ANY ($1::uuid[])) AS taken;

-- define --
-- An imported definition gets no version: nobody may find that a name means something else since.
INSERT INTO workflows (id, tenant, name, version, hash, document) VALUES ($1, $2, $3, NULL, $4, $5) ON CONFLICT DO NOTHING;

-- defined --
SELECT id, version FROM workflows WHERE tenant = $1 AND hash = $2;

-- born --
INSERT INTO threads (thread_id, definition_id, execution_id, status, epoch, rev, head_version, last_version, last_seq, wake_at,
    queue, priority, recoveries, parent_thread_id, parent_run_id, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
ON CONFLICT DO NOTHING
RETURNING thread_id;

-- xact --
SELECT pg_current_xact_id()::text::bigint AS xact;
