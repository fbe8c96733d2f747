-- What gates and waits have in common: `table` is theirs, `waiting` and `answered` are the events that tell of them.
-- $1 to $5 are a key: thread, execution of the step run's key, step, item, round.
-- One can be answered while its thread has not ended and the step run of its key is open.

-- part key --
gate.thread_id = $1 AND gate.key_execution_id = $2 AND gate.step_name = $3 AND gate.item = $4 AND gate.round = $5

-- part waits --
EXISTS (
    SELECT FROM workflow_steps AS run
    WHERE run.execution_id = thread.execution_id AND run.thread_id = thread.thread_id AND run.step_name = gate.step_name
        AND run.key_execution_id = gate.key_execution_id AND run.completed_at IS NULL
) AND thread.status NOT IN ('completed', 'failed', 'cancelled', 'interrupted')

-- part found --
-- $6: how the data of an event of this one begins.  It is looked at as text: what stands behind it may hold \u0000.
extract(epoch FROM gate.timeout_at - now())::float8 AS seconds_left,
    EXISTS (
        SELECT FROM workflow_events AS event
        WHERE event.thread_id = gate.thread_id AND event.run_id = gate.run_id AND event.name = '{waiting}'
            AND starts_with(event.data::text, $6)
    ) AS told_waiting,
    EXISTS (
        SELECT FROM workflow_events AS event JOIN workflow_steps AS run ON run.thread_id = event.thread_id AND run.id = event.run_id
        WHERE event.thread_id = gate.thread_id AND event.name = '{answered}' AND event.step_name = gate.step_name
            AND run.key_execution_id = gate.key_execution_id AND starts_with(event.data::text, $6)
    ) AS told_answered,
    gate.answered_at IS NULL AND {waits} AS waits
FROM {table} AS gate JOIN threads AS thread USING (thread_id)
WHERE {key}

-- time_out --
UPDATE {table} AS gate SET answer = $6, answer_sha256 = $7, answered_at = now(), via = 'timeout'
WHERE {key} AND gate.answered_at IS NULL AND gate.timeout_at <= now();

-- lock --
SELECT * FROM threads WHERE thread_id = $1 FOR UPDATE;

-- part woken --
-- `wanted` has the wish for whoever drives the thread; one to pause or to cancel it stands before it.
wake_at = CASE WHEN incarnation_id IS NULL AND status = 'waiting' THEN least(wake_at, now()) ELSE wake_at END,
    signal = CASE WHEN incarnation_id IS NOT NULL AND (signal IS NULL OR signal LIKE 'look:%') THEN wanted.wish ELSE signal END

-- wake --
UPDATE threads SET {woken}
FROM (SELECT $2::text AS wish) AS wanted
WHERE thread_id = $1
RETURNING threads.*;
