-- What PostgresThreads asks.  The list is in the order of the present executions, by the indexes over all executions: a number of
-- them is looked at, newest first, and those are kept that are the present one of a thread that is wanted.  So one statement does
-- bounded work whatever the filters, and the row that every commit locks needs no further index.

-- part looked_at --
e.thread_id, e.id, e.created_at, e.status, e.kind, e.workflow_name, e.workflow_version, e.triggered_by, e.external_run_id, e.input

-- by_time --
SELECT {looked_at} FROM workflow_executions AS e
WHERE true /* filters */
ORDER BY e.created_at DESC, e.id DESC
LIMIT $1::bigint;

-- by_status --
-- One for each status, so that the planner knows which it plans for: the index by time would find few of a rare one.
SELECT {looked_at} FROM workflow_executions AS e
WHERE e.status = '/* status */' /* filters */
ORDER BY e.created_at DESC, e.id DESC
LIMIT $1::bigint;

-- by_workflow --
-- The same of one workflow, in an order that the index by time does not have: a plan that is kept knows no workflow by name, and
-- would look through all executions for those of a rare one.
SELECT {looked_at} FROM workflow_executions AS e
WHERE e.status >= '/* status */' AND e.status <= '/* status */' /* filters */
ORDER BY e.status, e.created_at DESC, e.id DESC
LIMIT $1::bigint;

-- several --
SELECT * FROM (/* each */) AS e
ORDER BY e.created_at DESC, e.id DESC
LIMIT $1::bigint;

-- part wanted --
-- The rows of threads are asked for one by one, whatever the planner thinks of how many those are.  A replay is known by its
-- first execution.
SELECT true AS wanted FROM threads AS t
WHERE t.thread_id = e.thread_id AND t.execution_id = e.id
    AND (cardinality($2::text[]) = 0 OR e.status = ANY ($2::text[])) AND ($4::text IS NULL OR e.workflow_name = $4)
    AND ($3::boolean OR (t.parent_thread_id IS NULL AND NOT (
        e.workflow_name = 'replay' AND e.workflow_version IS NULL AND EXISTS (
            SELECT FROM (
                SELECT kind, parameters FROM workflow_executions WHERE thread_id = e.thread_id OFFSET 0
            ) AS f
            WHERE f.kind = 'invoke' AND execution_origin(f.parameters) IS NOT NULL
        )
    )))
OFFSET 0

-- part own_input --
-- An execution that goes on with a long input does not repeat it.
SELECT coalesce(e.input, (
    SELECT f.input FROM workflow_executions AS f
    WHERE e.kind NOT IN ('invoke', 'fork') AND f.thread_id = e.thread_id AND f.kind IN ('invoke', 'fork')
    ORDER BY f.id DESC
    LIMIT 1
)) AS value

-- looked --
-- $1: how many executions at most, $2: the statuses, of all if there are none, $3: children too, $4: the workflow.
-- `found` is how many there were, `place` which of them this is.  The last comes in any case.
WITH looked AS MATERIALIZED (
    /* source */
)
SELECT * FROM (
    SELECT e.thread_id, e.id, e.created_at, t.wanted, row_number() OVER newest AS place, count(*) OVER () AS last,
        count(*) OVER () AS found
    FROM looked AS e LEFT JOIN LATERAL ({wanted}) AS t ON true
    WINDOW newest AS (ORDER BY e.created_at DESC, e.id DESC)
) AS e
WHERE wanted OR place = last
ORDER BY place;

-- searched --
-- The same for those in which one of the texts $5 is found, or in whose input one of $6 is.  What is `before` an input weighs no
-- more than $7 bytes as they are stored: it is read whole, and may be long.
WITH looked AS MATERIALIZED (
    /* source */
), weighed AS MATERIALIZED (
    SELECT e.*, given.value, row_number() OVER newest AS place, count(*) OVER () AS found,
        sum(pg_column_size(given.value)) OVER (newest ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
    FROM looked AS e CROSS JOIN LATERAL ({own_input}) AS given
    WINDOW newest AS (ORDER BY e.created_at DESC, e.id DESC)
)
SELECT * FROM (
    SELECT e.thread_id, e.id, e.created_at, e.place, e.found, max(e.place) OVER () AS last,
        t.wanted AND EXISTS (
            SELECT FROM unnest($5::text[], $6::text[]) AS one (plain, quoted)
            WHERE strpos(lower(concat_ws(chr(10), e.thread_id, e.workflow_name, e.triggered_by, e.external_run_id)), one.plain) > 0
                OR strpos(lower(e.value::text), one.quoted) > 0
        ) AS wanted
    FROM weighed AS e LEFT JOIN LATERAL ({wanted}) AS t ON true
    WHERE e.before IS NULL OR e.before <= $7::bigint
) AS e
WHERE wanted OR place = last
ORDER BY place;

-- entries --
-- Of short inputs, and of the first long ones until they together weigh more than $2 bytes as they are stored, the first $3
-- characters.  What a thread is at may have changed since it was found: this is how it stands.
SELECT t.thread_id, t.tenant, t.definition_id, t.execution_id, t.status, t.epoch, t.rev, t.incarnation_id, t.head_version,
    t.last_version, t.last_seq, t.wake_at, t.signal, t.queue, t.priority, t.recoveries, t.parent_thread_id, t.parent_run_id,
    t.created_at, t.updated_at, e.workflow_id, e.workflow_name, e.workflow_version, e.kind, e.status AS execution_status,
    e.parameters, e.triggered_by, e.external_run_id, e.created_at AS execution_created_at, e.started_at, e.completed_at, e.error,
    coalesce(c.progress, 0) AS head_progress, c.execution_id AS head_execution_id,
    CASE WHEN pg_column_size(given.value) <= 4096
        OR coalesce(sum(pg_column_size(given.value)) FILTER (WHERE pg_column_size(given.value) > 4096) OVER before, 0) <= $2::bigint
        THEN left(given.value::text, $3::int) END AS head
FROM unnest($1::text[]) WITH ORDINALITY AS wanted (thread_id, place)
JOIN threads AS t ON t.thread_id = wanted.thread_id
JOIN workflow_executions AS e ON e.thread_id = t.thread_id AND e.id = t.execution_id
LEFT JOIN checkpoints AS c ON c.thread_id = t.thread_id AND c.version = t.head_version
CROSS JOIN LATERAL ({own_input}) AS given
WINDOW before AS (ORDER BY wanted.place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
ORDER BY wanted.place;

-- runs --
-- Of each thread the newest $3 step runs: what they have cost, how many steps they ended, and the first $4 that are open, those that
-- run before those that wait.  $2: the present executions.
SELECT wanted.thread_id, runs.*
FROM unnest($1::text[], $2::uuid[]) AS wanted (thread_id, execution_id)
CROSS JOIN LATERAL (
    SELECT count(*) AS looked, count(DISTINCT s.step_name) FILTER (WHERE s.status IN ('completed', 'skipped')) AS ended,
        count(s.input_tokens) AS spent, coalesce(sum(s.input_tokens), 0)::bigint AS input_tokens,
        coalesce(sum(s.output_tokens), 0)::bigint AS output_tokens, coalesce(sum(s.cost_usd), 0)::float8 AS cost_usd,
        count(*) FILTER (WHERE s.open) AS open,
        (array_agg(s.id ORDER BY s.status <> 'running', s.id) FILTER (WHERE s.open))[1:$4::int] AS open_ids
    FROM (
        SELECT r.id, r.step_name, r.status, r.input_tokens, r.output_tokens, r.cost_usd,
            r.execution_id = wanted.execution_id AND r.status IN ('running', 'retrying', 'waiting') AS open
        FROM workflow_steps AS r
        WHERE r.thread_id = wanted.thread_id
        ORDER BY r.id DESC
        LIMIT $3::bigint
    ) AS s
) AS runs;

-- open_runs --
SELECT r.thread_id, r.step_name AS step_id, r.status, r.agent, r.attempt, r.started_at, r.next_attempt_at,
    CASE WHEN r.status <> 'waiting' THEN NULL
        WHEN EXISTS (
            SELECT FROM gates AS g
            WHERE g.thread_id = r.thread_id AND g.key_execution_id = r.key_execution_id AND g.step_name = r.step_name
                AND g.answered_at IS NULL
        ) THEN 'gate'
        ELSE coalesce((
            SELECT CASE WHEN w.signal IS NULL THEN 'message' ELSE 'signal' END FROM waits AS w
            WHERE w.thread_id = r.thread_id AND w.key_execution_id = r.key_execution_id AND w.step_name = r.step_name
                AND w.answered_at IS NULL
            LIMIT 1
        ), CASE WHEN starts_with(r.session_id, 'sub:') THEN 'child'
            WHEN r.next_attempt_at IS NOT NULL AND r.agent IS NULL THEN 'sleep' END)
    END AS waits
FROM unnest($1::text[], $2::uuid[]) WITH ORDINALITY AS wanted (thread_id, id, place)
JOIN workflow_steps AS r ON r.thread_id = wanted.thread_id AND r.id = wanted.id
ORDER BY wanted.place;

-- lengths --
-- How many steps a definition has; none is known of a function's.
SELECT id, json_array_length(backstitch_readable(document) -> 'steps') AS steps FROM workflows WHERE id = ANY ($1::uuid[]);

-- counts_by_status --
-- $1: executions to look at, $2: the statuses, $3: children too, $4: the workflow, $5: how far to count.  One for each status.
SELECT '/* status */' AS status, counted.number,
    counted.number < $5::bigint AND $1::bigint <= (SELECT count(*) FROM (/* source */) AS all_of_it) AS cut
FROM (
    SELECT count(*) AS number FROM (
        SELECT FROM (/* source */) AS e CROSS JOIN LATERAL ({wanted}) AS t LIMIT $5::bigint
    ) AS counted
) AS counted;

-- counts_by_time --
-- The same where the filters leave what few executions they leave by another index.
WITH looked AS MATERIALIZED (
    /* source */
)
SELECT e.status, least(count(t.wanted), $5::bigint) AS number, $1::bigint <= (SELECT count(*) FROM looked) AS cut
FROM looked AS e LEFT JOIN LATERAL ({wanted}) AS t ON true
GROUP BY e.status;
