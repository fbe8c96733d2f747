-- part writes --
-- One batch of the journal in one statement.  A move of a thread counts only if its epoch, rev and execution still hold; rows of a
-- move or start that does not count are left out.  Rows are locked in the order of thread_id; a locked one is passed over.
-- `(x IN (SELECT ...)) IS TRUE` keeps the planner, which takes an array for ten rows, from joining in nested loops.
WITH moves AS (
    SELECT * FROM unnest($1::journal_move_2[])
), held AS (
    SELECT thread.thread_id
    FROM threads AS thread JOIN moves USING (thread_id)
    ORDER BY thread.thread_id
    FOR UPDATE OF thread SKIP LOCKED
), moved AS (
    UPDATE threads AS thread
    SET epoch = moves.new_epoch, rev = moves.rev + 1, incarnation_id = moves.incarnation_id,
        execution_id = moves.execution_id, status = moves.status, head_version = moves.head_version,
        last_version = moves.last_version, last_seq = moves.last_seq,
        wake_at = CASE -- due now is due by this clock, whatever the driver's says; so is a wish that came while it was parked
            WHEN moves.wake_at <= moves.at THEN least(moves.wake_at, now())
            WHEN moves.incarnation_id IS NOT NULL OR moves.clear_signal OR thread.signal IS NULL THEN moves.wake_at
            ELSE least(moves.wake_at, now()) -- also for one that would wait until it is woken
        END,
        signal = CASE WHEN moves.clear_signal THEN NULL ELSE thread.signal END, recoveries = moves.recoveries,
        updated_at = moves.at
    FROM moves
    WHERE thread.thread_id = moves.thread_id AND thread.epoch = moves.epoch AND thread.rev = moves.rev
        AND thread.execution_id = moves.held_execution_id
        AND (moves.thread_id IN (SELECT thread_id FROM held)) IS TRUE
    RETURNING moves.ord, thread.signal
), starts AS (
    SELECT * FROM unnest($2::journal_start_2[])
), keys AS (
    INSERT INTO idempotency_keys (tenant, key, request_sha256, thread_id, execution_id)
    SELECT tenant, idempotency_key, request_sha256, thread_id, execution_id
    FROM starts
    WHERE idempotency_key IS NOT NULL AND NOT EXISTS (SELECT FROM threads WHERE threads.thread_id = starts.thread_id)
    ORDER BY tenant, idempotency_key
    ON CONFLICT DO NOTHING
    RETURNING execution_id
), born AS (
    INSERT INTO threads (thread_id, tenant, definition_id, execution_id, status, epoch, rev, incarnation_id, head_version,
        last_version, last_seq, wake_at, queue, priority, parent_thread_id, parent_run_id, created_at, updated_at)
    SELECT thread_id, tenant, definition_id, execution_id, status, epoch, 0, incarnation_id, 1, 1, 1,
        CASE WHEN wake_at <= at THEN least(wake_at, now()) ELSE wake_at END, queue, priority, parent_thread_id, parent_run_id, at, at
    FROM starts
    WHERE idempotency_key IS NULL OR execution_id IN (SELECT execution_id FROM keys)
    ORDER BY thread_id
    ON CONFLICT DO NOTHING
    RETURNING execution_id
), ok AS (
    SELECT ord FROM moved UNION ALL SELECT ord FROM starts JOIN born USING (execution_id)
), new_executions AS (
    INSERT INTO workflow_executions (thread_id, id, tenant, workflow_id, workflow_name, workflow_version, kind, status,
        input, input_sha256, parameters, triggered_by, external_run_id, created_at, started_at, completed_at, output,
        output_sha256)
    SELECT thread_id, id, tenant, workflow_id, workflow_name, workflow_version, kind, status, input, input_sha256,
        parameters, triggered_by, external_run_id, created_at, started_at, completed_at, output, output_sha256
    FROM unnest($3::journal_execution_2[])
    WHERE (ord IN (SELECT ord FROM ok)) IS TRUE
), changed_executions AS (
    UPDATE workflow_executions AS execution
    SET status = change.status, started_at = coalesce(execution.started_at, change.started_at),
        completed_at = change.completed_at, output = coalesce(change.output, execution.output),
        output_sha256 = coalesce(change.output_sha256, execution.output_sha256),
        context = coalesce(change.context, execution.context), error = coalesce(change.error, execution.error)
    FROM unnest($4::journal_execution_change_2[]) AS change
    WHERE execution.thread_id = change.thread_id AND execution.id = change.id AND execution.completed_at IS NULL
        AND (change.ord IN (SELECT ord FROM ok)) IS TRUE
), new_steps AS (
    INSERT INTO workflow_steps (thread_id, id, execution_id, key_execution_id, step_name, step_index, status, agent,
        agent_version, variant, call, attempt, input, output, output_sha256, error, started_at, completed_at,
        duration_ms, input_tokens, output_tokens, cost_usd)
    SELECT thread_id, id, execution_id, key_execution_id, step_name, step_index, status, agent, agent_version, variant,
        call, attempt, input, output, output_sha256, error, started_at, completed_at, duration_ms, input_tokens,
        output_tokens, cost_usd
    FROM unnest($5::journal_step_2[])
    WHERE (ord IN (SELECT ord FROM ok)) IS TRUE
), changed_steps AS (
    UPDATE workflow_steps AS step
    SET status = change.status, attempt = change.attempt, retry_count = change.retry_count, output = change.output,
        output_sha256 = change.output_sha256, error = change.error,
        session_id = coalesce(change.session_id, step.session_id), completed_at = change.completed_at,
        duration_ms = change.duration_ms, next_attempt_at = change.next_attempt_at,
        agent_version = coalesce(change.agent_version, step.agent_version),
        input_tokens = coalesce(change.input_tokens, step.input_tokens),
        output_tokens = coalesce(change.output_tokens, step.output_tokens),
        cost_usd = coalesce(change.cost_usd, step.cost_usd)
    FROM unnest($6::journal_step_change_2[]) AS change
    WHERE step.thread_id = change.thread_id AND step.id = change.id AND step.completed_at IS NULL
        AND (change.ord IN (SELECT ord FROM ok)) IS TRUE
), new_checkpoints AS (
    INSERT INTO checkpoints (thread_id, version, parent_version, base_version, execution_id, step_name, trigger, manifest,
        sha256, size_bytes, progress, created_at, hidden, format)
    SELECT thread_id, version, parent_version, base_version, execution_id, step_name, trigger, manifest, sha256,
        size_bytes, progress, created_at, hidden, format
    FROM unnest($7::journal_checkpoint_2[])
    WHERE (ord IN (SELECT ord FROM ok)) IS TRUE
), new_events AS (
    INSERT INTO workflow_events (thread_id, seq, execution_id, name, step_name, run_id, attempt, version, at, data, xact)
    SELECT thread_id, seq, execution_id, name, step_name, run_id, attempt, version, at, data,
        pg_current_xact_id()::text::bigint
    FROM unnest($8::journal_event[])
    WHERE (ord IN (SELECT ord FROM ok)) IS TRUE
), new_items AS ( -- one that completed is never overwritten, unless its text is not the one that was written
    INSERT INTO workflow_items AS known (thread_id, key_execution_id, step_name, item, status, attempt, retry_count, agent,
        agent_version, output, output_sha256, error, session_id, started_at, completed_at, next_attempt_at)
    SELECT thread_id, key_execution_id, step_name, item, status, attempt, retry_count, agent, agent_version, output,
        output_sha256, error, session_id, started_at, completed_at, next_attempt_at
    FROM unnest($9::journal_item[])
    WHERE (ord IN (SELECT ord FROM ok)) IS TRUE
    ON CONFLICT (thread_id, key_execution_id, step_name, item) DO UPDATE
    SET status = excluded.status, attempt = excluded.attempt, retry_count = excluded.retry_count, agent = excluded.agent,
        agent_version = excluded.agent_version, output = excluded.output, output_sha256 = excluded.output_sha256,
        error = excluded.error, session_id = coalesce(excluded.session_id, known.session_id),
        started_at = excluded.started_at, completed_at = excluded.completed_at, next_attempt_at = excluded.next_attempt_at
    WHERE known.status <> 'completed'
        OR known.output_sha256 IS DISTINCT FROM sha256(convert_to(known.output::text, 'UTF8'))
), new_notes AS (
    INSERT INTO workflow_notes (thread_id, key_execution_id, step_name, item, place, name, value, sha256, created_at)
    SELECT thread_id, key_execution_id, step_name, item, place, name, value, sha256, created_at
    FROM unnest($10::journal_note[])
    WHERE (ord IN (SELECT ord FROM ok)) IS TRUE
    ON CONFLICT (thread_id, key_execution_id, step_name, item, place) DO UPDATE
    SET name = excluded.name, value = excluded.value, sha256 = excluded.sha256, created_at = excluded.created_at
)

-- part rest --
woken AS (
    UPDATE threads SET wake_at = now()
    WHERE thread_id IN (
        SELECT parent.thread_id
        FROM moves JOIN threads AS parent ON parent.thread_id = moves.wake_thread_id
        WHERE parent.wake_at > now() AND (moves.ord IN (SELECT ord FROM moved)) IS TRUE
        ORDER BY parent.thread_id
        FOR UPDATE OF parent SKIP LOCKED
    )
)
SELECT moves.ord, NULL AS signal, CASE
        WHEN thread.epoch = moves.epoch AND thread.rev = moves.rev AND thread.execution_id = moves.held_execution_id
        THEN 'busy' ELSE 'fenced'
    END AS outcome
FROM moves LEFT JOIN threads AS thread USING (thread_id)
WHERE (moves.ord IN (SELECT ord FROM moved)) IS NOT TRUE
UNION ALL
SELECT ord, signal, 'signal' FROM moved WHERE signal IS NOT NULL
UNION ALL
SELECT ord, NULL, 'refused' FROM starts WHERE (ord IN (SELECT ord FROM ok)) IS NOT TRUE;

-- flush --
{writes}, {rest};

-- flush_webhooks --
-- The same for a batch with a start that brings a webhook: others have nothing to do with it.
{writes}, new_webhooks AS (
    INSERT INTO thread_webhooks (thread_id, from_seq, id, url, events, headers, secret)
    SELECT thread_id, from_seq, id, url, events, headers, secret
    FROM unnest($11::journal_webhook[])
    WHERE (ord IN (SELECT ord FROM ok)) IS TRUE
), {rest};

-- look_up --
-- After a lost connection: where the threads of a batch stand, waiting for whoever still writes them.
SELECT thread_id, epoch, rev, execution_id FROM threads WHERE thread_id = ANY($1::text[]) ORDER BY thread_id FOR UPDATE;

-- look_up_starts --
SELECT id FROM workflow_executions WHERE id = ANY($1::uuid[]);

-- forget_key --
DELETE FROM idempotency_keys WHERE tenant = $1 AND key = $2 AND execution_id = $3;

-- take_key --
INSERT INTO idempotency_keys (tenant, key, request_sha256, thread_id, execution_id) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING RETURNING key;

-- lock --
SELECT * FROM threads WHERE thread_id = $1 FOR UPDATE;

-- move --
-- After a flush that has put the execution $3 in the place of $4: the thread is of the definition $2, the step runs $5 go on in
-- the new execution, at their places $6.  One that is born ended ends as the old one did.
WITH moved AS (
    UPDATE threads SET definition_id = $2 WHERE thread_id = $1
), carried AS (
    UPDATE workflow_steps AS step SET execution_id = $3, step_index = run.place
    FROM unnest($5::uuid[], $6::int[]) AS run (id, place)
    WHERE step.thread_id = $1 AND step.id = run.id AND step.execution_id = $4
)
UPDATE workflow_executions AS new SET error = old.error, context = old.context
FROM workflow_executions AS old
WHERE new.thread_id = $1 AND new.id = $3 AND new.completed_at IS NOT NULL AND old.thread_id = $1 AND old.id = $4;

-- signal --
-- A wish to cancel gives way to no other, and who has ended is wished nothing.
UPDATE threads
SET signal = CASE
    WHEN status IN ('completed', 'failed', 'cancelled', 'interrupted') OR signal LIKE 'cancel:%' THEN signal ELSE $2
END
WHERE thread_id = $1
RETURNING *;

-- wake --
UPDATE threads SET wake_at = now()
WHERE thread_id = $1 AND incarnation_id IS NULL AND (wake_at > now() OR (wake_at IS NULL AND status = 'waiting'));

-- driven --
SELECT * FROM threads WHERE incarnation_id = $1;

-- open_incarnation --
INSERT INTO incarnations (id, host, process) VALUES ($1, $2, $3);

-- heartbeat --
UPDATE incarnations SET heartbeat_at = now() WHERE id = $1 RETURNING id;

-- incarnations --
SELECT id, host, process, started_at, heartbeat_at, extract(epoch FROM now() - heartbeat_at)::float8 AS silent_for
FROM incarnations ORDER BY started_at;

-- close_incarnation --
-- With its last known heartbeat only if none has come since.  A locked thread is passed over: `sweep` finds it.
WITH removed AS (
    DELETE FROM incarnations
    WHERE id = $1 AND ($2::timestamptz IS NULL OR heartbeat_at = $2)
    RETURNING id
), released AS (
    UPDATE threads SET incarnation_id = NULL, epoch = epoch + 1, wake_at = now(),
        recoveries = recoveries + $3::bool::int
    WHERE thread_id IN (
        SELECT thread_id FROM threads WHERE incarnation_id IN (SELECT id FROM removed)
        ORDER BY thread_id FOR UPDATE SKIP LOCKED
    )
    RETURNING 1
)
SELECT count(*) FROM released;

-- sweep --
-- Threads of processes that nobody knows any more.
UPDATE threads SET incarnation_id = NULL, epoch = epoch + 1, wake_at = now(),
    recoveries = recoveries + 1
WHERE thread_id IN (
    SELECT thread_id FROM threads
    WHERE incarnation_id IS NOT NULL
        AND NOT EXISTS (SELECT FROM incarnations WHERE incarnations.id = threads.incarnation_id)
    ORDER BY thread_id FOR UPDATE OF threads SKIP LOCKED
)
RETURNING 1;
