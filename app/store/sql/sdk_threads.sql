-- What PostgresSdkThreads asks.  Metadata comes and goes as text.

-- part status --
CASE
    WHEN t.thread_id IS NULL OR t.status = 'completed' THEN 'idle'
    WHEN t.status IN ('failed', 'interrupted') THEN 'error'
    WHEN t.status IN ('paused', 'cancelled') THEN 'interrupted'
    WHEN t.status = 'waiting' AND EXISTS (
        SELECT FROM workflow_steps AS run
        WHERE run.thread_id = t.thread_id AND run.execution_id = t.execution_id AND run.completed_at IS NULL
    ) AND NOT EXISTS (
        SELECT FROM workflow_steps AS run
        WHERE run.thread_id = t.thread_id AND run.execution_id = t.execution_id AND run.completed_at IS NULL
            AND NOT EXISTS (
                SELECT FROM gates AS gate
                WHERE gate.thread_id = run.thread_id AND gate.key_execution_id = run.key_execution_id
                    AND gate.step_name = run.step_name AND gate.answered_at IS NULL
            )
    ) THEN 'interrupted'
    ELSE 'busy'
END

-- part shown --
s.thread_id, s.metadata::text AS metadata, s.created_at, greatest(s.updated_at, t.updated_at) AS updated_at

-- create --
-- $3: how many days one that never ran is kept, $4: how many of those that are older go now.
WITH old AS (
    SELECT s.thread_id FROM sdk_threads AS s
    WHERE NOT s.ran AND s.updated_at < now() - make_interval(days => $3)
        AND NOT EXISTS (SELECT FROM threads AS t WHERE t.thread_id = s.thread_id)
    ORDER BY s.updated_at LIMIT $4 FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM sdk_threads AS s USING old WHERE s.thread_id = old.thread_id
)
INSERT INTO sdk_threads (thread_id, metadata) VALUES ($1, $2::text::jsonb)
ON CONFLICT (thread_id) DO NOTHING
RETURNING thread_id;

-- get --
SELECT {shown} FROM sdk_threads AS s LEFT JOIN threads AS t USING (thread_id) WHERE s.thread_id = $1;

-- merge --
INSERT INTO sdk_threads AS s (thread_id, metadata, ran) VALUES ($1, $2::text::jsonb, $3)
ON CONFLICT (thread_id) DO UPDATE
SET metadata = s.metadata || excluded.metadata, ran = s.ran OR excluded.ran, updated_at = now()
RETURNING s.thread_id, s.metadata::text AS metadata, s.created_at, s.updated_at;

-- delete --
WITH runs AS (
    DELETE FROM sdk_runs WHERE thread_id = $1
)
DELETE FROM sdk_threads WHERE thread_id = $1 RETURNING thread_id;

-- found --
-- $1: how many, $2: after how many.
SELECT {shown} FROM sdk_threads AS s LEFT JOIN threads AS t USING (thread_id)
WHERE true /* filters */
ORDER BY /* order */
LIMIT $1 OFFSET $2;

-- count --
SELECT count(*) AS number FROM sdk_threads AS s LEFT JOIN threads AS t USING (thread_id) WHERE true /* filters */;

-- by_status --
({status}) = $;

-- statuses --
SELECT t.thread_id, {status} AS status FROM threads AS t WHERE t.thread_id = ANY ($1::text[]);

-- note_run --
INSERT INTO sdk_runs AS r (run_id, thread_id, metadata, strategy, hidden) VALUES ($1, $2, $3::text::jsonb, $4, $5)
ON CONFLICT (run_id) DO UPDATE
SET metadata = r.metadata || excluded.metadata, strategy = coalesce(excluded.strategy, r.strategy),
    hidden = r.hidden OR excluded.hidden;

-- runs --
SELECT run_id, thread_id, metadata::text AS metadata, strategy, hidden FROM sdk_runs WHERE run_id = ANY ($1::uuid[]);
