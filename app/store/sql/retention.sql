-- What PostgresRetention asks.

-- scan --
-- $1, $2: the last execution seen, newest first; $3: how many.  A thread stands at its present execution, and for all its family.
-- What it weighs is reckoned: the values of its state, and about what the rows of a version and an event take with their indexes.
SELECT x.created_at, x.id, x.workflow_name AS workflow, t.thread_id, t.status, t.epoch, t.rev, family.members, family.ended_at,
    family.size
FROM (
    SELECT created_at, id, thread_id, workflow_name
    FROM workflow_executions
    WHERE (created_at, id) < (coalesce($1::timestamptz, 'infinity'), coalesce($2::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
    ORDER BY created_at DESC, id DESC
    LIMIT $3
) AS x
LEFT JOIN threads AS t
    ON t.thread_id = x.thread_id AND t.execution_id = x.id
    AND t.status IN ('completed', 'failed', 'cancelled', 'interrupted')
    AND NOT EXISTS (SELECT FROM threads AS parent WHERE parent.thread_id = t.parent_thread_id)
LEFT JOIN LATERAL (
    WITH RECURSIVE kin AS (
        SELECT t.thread_id, t.status, t.incarnation_id, t.head_version, t.last_version, t.last_seq, t.updated_at
        WHERE t.thread_id IS NOT NULL
        UNION
        SELECT child.*
        FROM kin CROSS JOIN LATERAL (
            SELECT c.thread_id, c.status, c.incarnation_id, c.head_version, c.last_version, c.last_seq, c.updated_at
            FROM threads AS c WHERE c.parent_thread_id = kin.thread_id OFFSET 0 -- a look into the index each
        ) AS child
    )
    SELECT count(*) AS members, max(kin.updated_at) AS ended_at,
        bool_and(kin.status IN ('completed', 'failed', 'cancelled', 'interrupted') AND kin.incarnation_id IS NULL) AS whole,
        sum(2000 + 1500 * kin.last_version::bigint + 350 * kin.last_seq
            + coalesce((SELECT size_bytes FROM checkpoints WHERE thread_id = kin.thread_id AND version = kin.head_version), 0)
        )::bigint AS size
    FROM kin
) AS family ON family.whole
ORDER BY x.created_at DESC, x.id DESC;

-- hold --
-- Rows are locked in the order of thread_id, as everywhere; a family with a row that somebody holds is left for later.  What was
-- decided is repeated under the lock: each root ($1) is as it was seen ($2 its epoch, $3 its rev), all of its family has ended.
WITH RECURSIVE given AS (
    SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[]) AS g (root, epoch, rev)
), family AS (
    SELECT t.thread_id AS root, t.thread_id AS member
    FROM given JOIN threads AS t ON t.thread_id = given.root
    UNION
    SELECT family.root, child.thread_id
    FROM family CROSS JOIN LATERAL (
        SELECT t.thread_id FROM threads AS t WHERE t.parent_thread_id = family.member OFFSET 0 -- a look into the index each
    ) AS child
), held AS MATERIALIZED (
    SELECT t.thread_id AS member, t.epoch, t.rev
    FROM threads AS t
    WHERE t.thread_id IN (SELECT family.member FROM family)
        AND t.status IN ('completed', 'failed', 'cancelled', 'interrupted') AND t.incarnation_id IS NULL
    ORDER BY t.thread_id
    FOR UPDATE SKIP LOCKED
), fit AS (
    SELECT family.root FROM family LEFT JOIN held USING (member)
    GROUP BY family.root
    HAVING count(*) = count(held.epoch)
)
SELECT family.root, family.member
FROM family JOIN fit USING (root) JOIN given USING (root)
JOIN held ON held.member = family.root AND held.epoch = given.epoch AND held.rev = given.rev
ORDER BY family.member;

-- delete --
-- Threads whose rows are held, from every table that knows them; in a statement of its own, to see all that was written before
-- the lock.  A document that was started directly is spared for a while after its last thread: somebody may start it anew.
WITH agent_logs_gone AS (
    DELETE FROM agent_logs WHERE thread_id = ANY ($1::text[])
    RETURNING at, octet_length(message) + coalesce(octet_length(context::text), 0) + 300 AS size -- as PostgresLogs adds it up
), gone_minutes AS (
    SELECT date_trunc('minute', at, 'UTC') AS minute, count(*) AS entries, sum(size) AS bytes FROM agent_logs_gone GROUP BY 1
), held_minutes AS (
    SELECT m.minute FROM agent_log_minutes AS m JOIN gone_minutes USING (minute) ORDER BY m.minute FOR UPDATE OF m
), fewer AS (
    UPDATE agent_log_minutes AS m SET entries = m.entries - gone.entries, bytes = m.bytes - gone.bytes
    FROM gone_minutes AS gone
    WHERE m.minute = gone.minute AND m.minute IN (SELECT minute FROM held_minutes)
),
checkpoints_gone AS (
    DELETE FROM checkpoints WHERE thread_id = ANY ($1::text[]) RETURNING 1
),
gates_gone AS (
    DELETE FROM gates WHERE thread_id = ANY ($1::text[]) RETURNING 1
),
idempotency_keys_gone AS (
    DELETE FROM idempotency_keys WHERE thread_id = ANY ($1::text[]) RETURNING 1
),
langgraph_blobs_gone AS (
    DELETE FROM langgraph_blobs WHERE thread_id = ANY ($1::text[]) RETURNING 1
),
langgraph_checkpoints_gone AS (
    DELETE FROM langgraph_checkpoints WHERE thread_id = ANY ($1::text[]) RETURNING 1
),
langgraph_runs_gone AS (
    DELETE FROM langgraph_runs WHERE thread_id = ANY ($1::text[]) RETURNING 1
),
langgraph_writes_gone AS (
    DELETE FROM langgraph_writes WHERE thread_id = ANY ($1::text[]) RETURNING 1
),
signals_gone AS (
    DELETE FROM signals WHERE thread_id = ANY ($1::text[]) RETURNING 1
),
waits_gone AS (
    DELETE FROM waits WHERE thread_id = ANY ($1::text[]) RETURNING 1
),
quarantine_gone AS (
    DELETE FROM quarantine WHERE thread_id = ANY ($1::text[]) RETURNING 1
),
sdk_runs_gone AS (
    DELETE FROM sdk_runs WHERE thread_id = ANY ($1::text[]) RETURNING 1
),
sdk_threads_gone AS (
    DELETE FROM sdk_threads WHERE thread_id = ANY ($1::text[]) RETURNING 1
),
thread_webhooks_gone AS (
    DELETE FROM thread_webhooks WHERE thread_id = ANY ($1::text[]) RETURNING 1
),
webhook_deliveries_gone AS (
    DELETE FROM webhook_deliveries WHERE thread_id = ANY ($1::text[]) RETURNING 1
),
webhook_lanes_gone AS (
    DELETE FROM webhook_lanes WHERE lane = ANY ($1::text[]) RETURNING 1
),
workflow_events_gone AS (
    DELETE FROM workflow_events WHERE thread_id = ANY ($1::text[]) RETURNING 1
),
workflow_executions_gone AS (
    DELETE FROM workflow_executions WHERE thread_id = ANY ($1::text[]) RETURNING 1
),
workflow_items_gone AS (
    DELETE FROM workflow_items WHERE thread_id = ANY ($1::text[]) RETURNING 1
),
workflow_notes_gone AS (
    DELETE FROM workflow_notes WHERE thread_id = ANY ($1::text[]) RETURNING 1
),
workflow_steps_gone AS (
    DELETE FROM workflow_steps WHERE thread_id = ANY ($1::text[]) RETURNING 1
), definitions AS (
    UPDATE workflows SET used_at = now()
    WHERE version IS NULL AND used_at < now() - interval '1 hour'
        AND id IN (SELECT definition_id FROM threads WHERE thread_id = ANY ($1::text[]))
), threads_gone AS (
    DELETE FROM threads WHERE thread_id = ANY ($1::text[]) RETURNING 1
)
SELECT (SELECT count(*) FROM agent_logs_gone)
    + (SELECT count(*) FROM checkpoints_gone)
    + (SELECT count(*) FROM gates_gone)
    + (SELECT count(*) FROM idempotency_keys_gone)
    + (SELECT count(*) FROM langgraph_blobs_gone)
    + (SELECT count(*) FROM langgraph_checkpoints_gone)
    + (SELECT count(*) FROM langgraph_runs_gone)
    + (SELECT count(*) FROM langgraph_writes_gone)
    + (SELECT count(*) FROM quarantine_gone)
    + (SELECT count(*) FROM sdk_runs_gone)
    + (SELECT count(*) FROM sdk_threads_gone)
    + (SELECT count(*) FROM thread_webhooks_gone)
    + (SELECT count(*) FROM webhook_deliveries_gone)
    + (SELECT count(*) FROM workflow_events_gone)
    + (SELECT count(*) FROM workflow_executions_gone)
    + (SELECT count(*) FROM workflow_items_gone)
    + (SELECT count(*) FROM workflow_notes_gone)
    + (SELECT count(*) FROM workflow_steps_gone)
    + (SELECT count(*) FROM signals_gone)
    + (SELECT count(*) FROM waits_gone)
    + (SELECT count(*) FROM threads_gone) AS rows;

-- tidy_events --
WITH old AS (
    SELECT tenant, agent, at, id FROM agent_events
    WHERE at < clock_timestamp() - make_interval(secs => 86400 * $1::float8)
    LIMIT $2 FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM agent_events AS e USING old
    WHERE (e.tenant, e.agent, e.at, e.id) = (old.tenant, old.agent, old.at, old.id)
    RETURNING 1
)
SELECT count(*) AS number FROM gone;

-- tidy_definitions --
-- Whoever is about to start one has told so less than an hour ago; that is looked at again under the row's lock.
DELETE FROM workflows AS w
WHERE w.version IS NULL AND w.used_at < now() - $1::interval AND w.id = ANY (ARRAY(
    SELECT unused.id FROM workflows AS unused
    WHERE unused.version IS NULL AND unused.used_at < now() - $1::interval
        AND NOT EXISTS (SELECT FROM threads AS t WHERE t.definition_id = unused.id)
    ORDER BY unused.used_at LIMIT $2
))
RETURNING w.id;

-- sizes --
SELECT relname AS name, pg_total_relation_size(oid) AS size
FROM pg_class
WHERE relkind = 'r' AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'threads'::regclass)
ORDER BY 2 DESC;

-- policies --
SELECT workflow, keep, days, status_days, max_threads FROM retention_policies WHERE tenant = 'default' ORDER BY workflow;

-- set_policy --
INSERT INTO retention_policies (workflow, keep, days, status_days, max_threads) VALUES ($1, $2, $3, $4::json, $5)
ON CONFLICT (tenant, workflow) DO UPDATE
SET keep = excluded.keep, days = excluded.days, status_days = excluded.status_days, max_threads = excluded.max_threads,
    changed_at = now();

-- drop_policy --
DELETE FROM retention_policies WHERE tenant = 'default' AND workflow = $1 RETURNING workflow;

-- take --
-- $3: seconds that must have gone by since the last run, none if it is not to be asked whether one is due.
UPDATE chores SET owner = $1, held_until = now() + make_interval(secs => $2::float8)
WHERE name = 'retention' AND (held_until < now() OR owner = $1)
    AND ($3::float8 IS NULL OR ran_at <= now() - make_interval(secs => $3))
RETURNING name;

-- release --
UPDATE chores SET owner = NULL, held_until = '-infinity', ran_at = now()
WHERE name = 'retention' AND owner = $1;

-- note --
INSERT INTO retention_runs AS r (id, asked, started_at, ended_at, scanned, threads, rows, bytes, reasons, workflows, definitions,
    agent_events, error)
VALUES ($1, $2::json, $3, $4, $5, $6, $7, $8, $9::json, $10::json, $11, $12, $13)
ON CONFLICT (id) DO UPDATE
SET ended_at = excluded.ended_at, scanned = excluded.scanned, threads = excluded.threads, rows = excluded.rows,
    bytes = excluded.bytes, reasons = excluded.reasons, workflows = excluded.workflows, definitions = excluded.definitions,
    agent_events = excluded.agent_events, error = excluded.error;

-- close_others --
-- Those that began earlier: whoever has lost the lease meanwhile does not close the run of who has it now.
UPDATE retention_runs SET ended_at = now(), error = 'the process that did it has ended'
WHERE ended_at IS NULL AND id <> $1 AND started_at <= $2;

-- forget --
DELETE FROM retention_runs WHERE id IN (SELECT id FROM retention_runs ORDER BY started_at DESC OFFSET $1);

-- runs --
SELECT id, asked, started_at, ended_at, scanned, threads, rows, bytes AS size, reasons, workflows, definitions, agent_events,
    error
FROM retention_runs
ORDER BY started_at DESC
LIMIT $1;
