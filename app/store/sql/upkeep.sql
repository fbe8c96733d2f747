-- What PostgresUpkeep asks.

-- formats --
SELECT format, count(*) AS versions FROM checkpoints GROUP BY format ORDER BY format;

-- outdated --
-- $1: the newest format; ($2, $3): the place to go on from.  Versions that somebody else is just upgrading are passed over.
SELECT thread_id, version, parent_version, base_version, execution_id, step_name AS step_id, trigger, manifest, sha256,
    size_bytes, progress, created_at, hidden, format
FROM checkpoints
WHERE format < $1 AND (thread_id, version) > ($2, $3)
ORDER BY thread_id, version
LIMIT $4
FOR UPDATE SKIP LOCKED;

-- rewrite --
UPDATE checkpoints AS known SET manifest = new.manifest::json, sha256 = new.sha256, format = new.format
FROM unnest($1::text[], $2::int[], $3::text[], $4::bytea[], $5::smallint[])
    AS new (thread_id, version, manifest, sha256, format)
WHERE known.thread_id = new.thread_id AND known.version = new.version;

-- threads_of --
-- Of a registered workflow: one that was started with its document has no version.
SELECT t.thread_id, t.tenant, t.definition_id, t.execution_id, t.status, t.epoch, t.rev, t.incarnation_id, t.head_version,
    t.last_version, t.last_seq, t.wake_at, t.signal, t.queue, t.priority, t.recoveries, t.parent_thread_id, t.parent_run_id,
    t.created_at, t.updated_at
FROM threads AS t
WHERE t.thread_id > $6 AND t.status = ANY ($4::text[]) AND t.definition_id = ANY (ARRAY(
    SELECT id FROM workflows
    WHERE tenant = $1 AND name = $2 AND version IS NOT NULL AND ($3::int IS NULL OR version = $3) AND id <> $5::uuid
))
ORDER BY t.thread_id
LIMIT $7;

-- missing_events --
WITH told AS (
    SELECT seq, lag(seq, 1, 0::bigint) OVER (ORDER BY seq) AS before
    FROM (
        SELECT seq FROM workflow_events WHERE thread_id = $1 AND seq <= $2 UNION ALL SELECT $2::bigint + 1
    ) AS known
)
SELECT before + 1 AS first, seq - 1 AS last FROM told WHERE seq > before + 1 ORDER BY seq;
