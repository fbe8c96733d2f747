-- What PostgresGraphCheckpoints asks.  Every write names its run ($1, $2) and the fence ($3) under which it may write: whoever
-- opens the run raises the fence and waits for the writes that are under way, so what an earlier writer sends later finds no row.

-- part run --
run AS (SELECT thread_id, run_key FROM langgraph_runs WHERE thread_id = $1 AND run_key = $2 AND fence = $3 FOR SHARE);

-- open --
INSERT INTO langgraph_runs (thread_id, run_key, fence)
SELECT thread_id, $2, 1 FROM threads WHERE thread_id = $1 AND ($3::int IS NULL OR epoch = $3) FOR SHARE
ON CONFLICT (thread_id, run_key) DO UPDATE SET fence = langgraph_runs.fence + 1
RETURNING fence;

-- put --
WITH run AS (
    UPDATE langgraph_runs SET last_seq = last_seq + 1
    WHERE thread_id = $1 AND run_key = $2 AND fence = $3
    RETURNING thread_id, run_key, last_seq
), blobs AS (
    INSERT INTO langgraph_blobs (thread_id, run_key, ns, channel, version, kind, data)
    SELECT thread_id, run_key, $4, new.*
    FROM run, unnest($13::text[], $14::text[], $15::text[], $16::bytea[]) AS new (channel, version, kind, data)
    ON CONFLICT DO NOTHING
)
INSERT INTO langgraph_checkpoints (thread_id, run_key, seq, ns, checkpoint_id, parent_id, run_id, kind, data, metadata, channels,
    versions)
SELECT thread_id, run_key, last_seq, $4, $5, $6, $7, $8, $9, $10, $11::text[], $12::text[] FROM run
ON CONFLICT (thread_id, run_key, ns, checkpoint_id) DO UPDATE
SET parent_id = excluded.parent_id, run_id = excluded.run_id, kind = excluded.kind, data = excluded.data,
    metadata = excluded.metadata, channels = excluded.channels, versions = excluded.versions
RETURNING true;

-- put_writes --
WITH {run}, written AS (
    INSERT INTO langgraph_writes (thread_id, run_key, ns, checkpoint_id, task_id, idx, task_path, channel, kind, data)
    SELECT thread_id, run_key, $4, $5, new.*
    FROM run, unnest($6::text[], $7::int[], $8::text[], $9::text[], $10::text[], $11::bytea[])
        AS new (task_id, idx, task_path, channel, kind, data)
    ON CONFLICT (thread_id, run_key, ns, checkpoint_id, task_id, idx) DO UPDATE
    SET task_path = excluded.task_path, channel = excluded.channel, kind = excluded.kind, data = excluded.data
    WHERE langgraph_writes.idx < 0
)
SELECT true FROM run;

-- part filled --
SELECT c.run_key, c.ns, c.checkpoint_id, c.parent_id, c.run_id, c.kind, c.data, c.metadata, c.channels, c.versions,
    v.v_channels, v.v_versions, v.v_kinds, v.v_datas, w.w_tasks, w.w_idxs, w.w_paths, w.w_channels, w.w_kinds, w.w_datas
FROM found c
CROSS JOIN LATERAL (
    SELECT array_agg(b.channel) AS v_channels, array_agg(b.version) AS v_versions, array_agg(b.kind) AS v_kinds,
        array_agg(b.data) AS v_datas
    FROM unnest(c.channels, c.versions) AS has (channel, version)
    JOIN langgraph_blobs b USING (channel, version)
    WHERE b.thread_id = c.thread_id AND b.run_key = c.run_key AND b.ns = c.ns
) v
CROSS JOIN LATERAL (
    SELECT array_agg(task_id) AS w_tasks, array_agg(idx) AS w_idxs, array_agg(task_path) AS w_paths,
        array_agg(channel) AS w_channels, array_agg(kind) AS w_kinds, array_agg(data) AS w_datas
    FROM langgraph_writes p
    WHERE p.thread_id = c.thread_id AND p.run_key = c.run_key AND p.ns = c.ns AND p.checkpoint_id = c.checkpoint_id
) w
ORDER BY c.run_key, c.seq DESC;

-- one --
WITH found AS (
    SELECT * FROM langgraph_checkpoints WHERE thread_id = $1 AND run_key = $2 AND ns = $3 AND checkpoint_id = $4
)
{filled};

-- newest --
WITH found AS (
    SELECT * FROM langgraph_checkpoints WHERE thread_id = $1 AND run_key = $2 AND ns = $3 ORDER BY seq DESC LIMIT 1
)
{filled};

-- list --
-- $5 is older than which checkpoint: an unknown one is placed by its id.
WITH found AS (
    SELECT * FROM langgraph_checkpoints c
    WHERE thread_id = $1 AND ($2::text IS NULL OR run_key = $2) AND ($3::text IS NULL OR ns = $3)
        AND ($4::text IS NULL OR checkpoint_id = $4)
        AND ($5::text IS NULL OR coalesce(
            seq < (SELECT max(b.seq) FROM langgraph_checkpoints b
                   WHERE b.thread_id = $1 AND b.run_key = c.run_key AND b.checkpoint_id = $5),
            checkpoint_id < $5))
    ORDER BY run_key, seq DESC LIMIT $6
)
{filled};

-- delete --
WITH run AS (
    DELETE FROM langgraph_runs WHERE thread_id = $1 AND run_key = $2 AND fence = $3 RETURNING thread_id, run_key
), checkpoints AS (
    DELETE FROM langgraph_checkpoints WHERE (thread_id, run_key) IN (SELECT thread_id, run_key FROM run)
), blobs AS (
    DELETE FROM langgraph_blobs WHERE (thread_id, run_key) IN (SELECT thread_id, run_key FROM run)
), writes AS (
    DELETE FROM langgraph_writes WHERE (thread_id, run_key) IN (SELECT thread_id, run_key FROM run)
)
SELECT true FROM run;

-- delete_calls --
WITH gone AS (
    DELETE FROM langgraph_checkpoints WHERE thread_id = $1 AND run_id = ANY ($2::text[])
    RETURNING thread_id, run_key, ns, checkpoint_id
)
DELETE FROM langgraph_writes p USING gone
WHERE p.thread_id = gone.thread_id AND p.run_key = gone.run_key AND p.ns = gone.ns
    AND p.checkpoint_id = gone.checkpoint_id;

-- copy --
-- $4 is the run that is copied.
WITH run AS (
    UPDATE langgraph_runs SET last_seq = coalesce(
        (SELECT s.last_seq FROM langgraph_runs s WHERE s.thread_id = $1 AND s.run_key = $4), langgraph_runs.last_seq)
    WHERE thread_id = $1 AND run_key = $2 AND fence = $3
    RETURNING thread_id, run_key
), checkpoints AS (
    INSERT INTO langgraph_checkpoints (thread_id, run_key, seq, ns, checkpoint_id, parent_id, run_id, kind, data, metadata,
        channels, versions, created_at)
    SELECT run.thread_id, run.run_key, seq, ns, checkpoint_id, parent_id, run_id, kind, data, metadata, channels, versions,
        created_at
    FROM run, langgraph_checkpoints c WHERE c.thread_id = $1 AND c.run_key = $4
    ON CONFLICT DO NOTHING
), blobs AS (
    INSERT INTO langgraph_blobs (thread_id, run_key, ns, channel, version, kind, data)
    SELECT run.thread_id, run.run_key, ns, channel, version, kind, data
    FROM run, langgraph_blobs b WHERE b.thread_id = $1 AND b.run_key = $4
    ON CONFLICT DO NOTHING
), writes AS (
    INSERT INTO langgraph_writes (thread_id, run_key, ns, checkpoint_id, task_id, idx, task_path, channel, kind, data)
    SELECT run.thread_id, run.run_key, ns, checkpoint_id, task_id, idx, task_path, channel, kind, data
    FROM run, langgraph_writes p WHERE p.thread_id = $1 AND p.run_key = $4
    ON CONFLICT DO NOTHING
)
SELECT true FROM run;

-- keep --
WITH {run}, kept AS (
    SELECT ns, checkpoint_id FROM unnest($4::text[], $5::text[]) AS named (ns, checkpoint_id)
), checkpoints AS (
    DELETE FROM langgraph_checkpoints c USING run
    WHERE c.thread_id = run.thread_id AND c.run_key = run.run_key
        AND NOT EXISTS (SELECT FROM kept WHERE kept.ns = c.ns AND kept.checkpoint_id = c.checkpoint_id)
), writes AS (
    DELETE FROM langgraph_writes p USING run
    WHERE p.thread_id = run.thread_id AND p.run_key = run.run_key
        AND NOT EXISTS (SELECT FROM kept WHERE kept.ns = p.ns AND kept.checkpoint_id = p.checkpoint_id)
), still AS (
    SELECT c.ns, has.channel, has.version
    FROM langgraph_checkpoints c JOIN kept USING (ns, checkpoint_id)
    CROSS JOIN LATERAL unnest(c.channels, c.versions) AS has (channel, version)
    WHERE c.thread_id = $1 AND c.run_key = $2
), blobs AS (
    DELETE FROM langgraph_blobs b USING run
    WHERE b.thread_id = run.thread_id AND b.run_key = run.run_key
        AND NOT EXISTS (
            SELECT FROM still WHERE still.ns = b.ns AND still.channel = b.channel AND still.version = b.version)
)
SELECT true FROM run;
