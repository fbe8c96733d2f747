-- What PostgresGates asks beside what waiting.sql has, whose parts are used.  $1 to $5 are a gate's key.

-- find --
SELECT gate.*, {found};

-- open --
-- $6: the step run, $11: seconds until the timeout.  A step run that has ended asks nothing anew, nor does one of a thread that
-- has been deleted.
INSERT INTO gates AS gate (thread_id, key_execution_id, step_name, item, round, run_id, title, show, form, assignees, timeout_at)
SELECT thread_id, $2::uuid, $3::text, $4::int, $5::int, $6::uuid, $7::text, $8::json, $9::json, $10::text[],
    now() + make_interval(secs => $11)
FROM threads WHERE thread_id = $1 FOR KEY SHARE
ON CONFLICT (thread_id, key_execution_id, step_name, item, round) DO UPDATE
SET run_id = EXCLUDED.run_id, opened_at = now(), timeout_at = EXCLUDED.timeout_at
WHERE gate.answered_at IS NULL AND gate.run_id <> EXCLUDED.run_id AND EXISTS (
    SELECT FROM workflow_steps AS run
    WHERE run.thread_id = gate.thread_id AND run.id = EXCLUDED.run_id AND run.completed_at IS NULL
);

-- answer --
-- $6: the answer, $7: its digest, $8: by whom, $9: by which way.
UPDATE gates AS gate SET answer = $6, answer_sha256 = $7, answered_by = $8, answered_at = now(), via = $9
FROM threads AS thread
WHERE {key} AND gate.answered_at IS NULL AND thread.thread_id = gate.thread_id AND {waits}
RETURNING gate.*;

-- part shown --
gate.thread_id, gate.key_execution_id, gate.step_name, gate.item, gate.round, gate.run_id, gate.title, gate.form,
    gate.answered_at IS NULL AND {waits} AS waits, gate.assignees, gate.opened_at, gate.timeout_at, gate.answer_sha256, gate.answered_by, gate.answered_at, gate.via,
    CASE WHEN length(gate.show::text) > $2 THEN json_build_object(
        'truncated', true, 'size_bytes', octet_length(gate.show::text), 'preview', left(gate.show::text, $3)
    ) ELSE gate.show END AS show,
    CASE WHEN length(gate.answer::text) > $2 THEN json_build_object(
        'truncated', true, 'size_bytes', octet_length(gate.answer::text), 'preview', left(gate.answer::text, $3)
    ) ELSE gate.answer END AS answer
FROM gates AS gate
CROSS JOIN LATERAL ( -- from the newest gate on, not from all threads: OFFSET keeps the planner from turning it round
    SELECT * FROM threads WHERE threads.thread_id = gate.thread_id OFFSET 0
) AS thread

-- part newest --
ORDER BY gate.opened_at DESC, gate.thread_id DESC, gate.key_execution_id DESC, gate.step_name DESC, gate.item DESC, gate.round DESC
LIMIT $1

-- listed --
-- $1: how many, $2: the length from which a value is told by a preview, $3: that one's.
SELECT {shown} WHERE true /* filters */ {newest};

-- listed_open --
-- IS NOT FALSE keeps it a filter: as a join it would begin with all step runs.
SELECT {shown} WHERE gate.answered_at IS NULL AND ({waits}) IS NOT FALSE /* filters */ {newest};
