-- What PostgresEvents and PostgresTimelines ask.  Filters go where /* filters */ stands, numbers where theirs do.

-- part columns --
-- Of a long result, which is taken out of its place once, only its beginning leaves the database; see domain.event_log.LONGEST.
e.thread_id, e.seq, e.execution_id, e.name, e.step_name AS step_id, e.run_id, e.attempt, e.version, e.at, e.data,
    CASE WHEN octet_length(value.text) > 8192
        THEN json_build_object('truncated', true, 'size_bytes', octet_length(value.text), 'preview', left(value.text, 1024))::text
        ELSE value.text END AS result,
    e.xact, COALESCE(w.name, '') AS workflow, t.status;

-- part joins --
LEFT JOIN threads AS t ON t.thread_id = e.thread_id
LEFT JOIN workflows AS w ON w.id = t.definition_id
LEFT JOIN workflow_steps AS s
    ON s.thread_id = e.thread_id AND s.id = e.run_id AND e.name IN ('step_complete', 'step_skipped')
LEFT JOIN workflow_executions AS x
    ON x.thread_id = e.thread_id AND x.id = e.execution_id AND e.name = 'workflow_complete'
CROSS JOIN LATERAL (SELECT COALESCE(s.output, x.output)::text AS text OFFSET 0) AS value;

-- oldest_first --
-- The index gives whole transactions in their order; within one, which has few events, they are sorted.
SELECT {columns}
FROM (
    SELECT e.* FROM workflow_events AS e /* more */
    WHERE e.xact >= $1 AND e.xact < $2 AND (e.xact, e.thread_id COLLATE "C", e.seq) > ($1, $3::text, $4::bigint) /* filters */
    ORDER BY e.xact, e.thread_id COLLATE "C", e.seq
    LIMIT ALL /* limit */
) AS e
{joins}
ORDER BY e.xact, e.thread_id COLLATE "C", e.seq;

-- oldest_first_end --
-- The last event that such a page looks at, if there are so many.
SELECT e.xact, e.thread_id, e.seq FROM workflow_events AS e
WHERE e.xact >= $1 AND e.xact < $2 AND (e.xact, e.thread_id COLLATE "C", e.seq) > ($1, $3::text, $4::bigint)
ORDER BY e.xact, e.thread_id COLLATE "C", e.seq
OFFSET 0 /* look */ LIMIT 1;

-- newest_first --
SELECT {columns}
FROM (
    SELECT e.* FROM workflow_events AS e /* more */
    WHERE e.xact <= $1 AND e.xact >= $2 AND (e.xact, e.thread_id COLLATE "C", e.seq) < ($1, $3::text, $4::bigint) /* filters */
    ORDER BY e.xact DESC, e.thread_id COLLATE "C" DESC, e.seq DESC
    LIMIT ALL /* limit */
) AS e
{joins}
ORDER BY e.xact DESC, e.thread_id COLLATE "C" DESC, e.seq DESC;

-- newest_first_end --
SELECT e.xact, e.thread_id, e.seq FROM workflow_events AS e
WHERE e.xact <= $1 AND e.xact >= $2 AND (e.xact, e.thread_id COLLATE "C", e.seq) < ($1, $3::text, $4::bigint)
ORDER BY e.xact DESC, e.thread_id COLLATE "C" DESC, e.seq DESC
OFFSET 0 /* look */ LIMIT 1;

-- of_thread --
SELECT {columns}
FROM (
    SELECT e.* FROM workflow_events AS e /* more */
    WHERE e.thread_id = $1 AND e.seq > $2 AND e.seq < $3 /* filters */
    ORDER BY e.seq /* order */
    LIMIT ALL /* limit */
) AS e
{joins}
ORDER BY e.seq /* order */;

-- last_seq --
SELECT last_seq FROM threads WHERE thread_id = $1;

-- horizon --
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS xact;

-- marked_before --
-- A transaction before which all were over at a time: none of their events is younger.
SELECT xact FROM event_marks WHERE at <= $1 ORDER BY at DESC LIMIT 1;

-- marked_after --
-- A transaction from which on none was over at a time.
SELECT xact FROM event_marks WHERE at >= $1 ORDER BY at LIMIT 1;

-- mark --
-- All transactions below it are over before the end of these five minutes.
INSERT INTO event_marks (at, xact)
SELECT date_bin('5 minutes', clock_timestamp(), '2000-01-01Z') + interval '5 minutes',
    pg_snapshot_xmin(pg_current_snapshot())::text::bigint
ON CONFLICT DO NOTHING;

-- timeline_executions --
SELECT id, kind, status, created_at, started_at, completed_at
FROM workflow_executions
WHERE thread_id = $1 AND ($2::uuid IS NULL OR id = $2::uuid)
ORDER BY created_at DESC, id DESC
LIMIT $3;

-- timeline_runs --
SELECT id, thread_id, execution_id, key_execution_id, step_name AS step_id, step_index, status, agent, agent_version, variant,
    call, attempt, retry_count, output_sha256, error, session_id, started_at, completed_at, duration_ms,
    next_attempt_at, input_tokens, output_tokens, cost_usd
FROM workflow_steps
WHERE thread_id = $1 AND ($2::uuid IS NULL OR execution_id = $2::uuid) AND id > $3::uuid
ORDER BY id
LIMIT $4;

-- timeline_events --
-- Those that begin or end a span, of some step runs, or ($2 null) of the thread itself.
SELECT thread_id, seq, execution_id, name, step_name AS step_id, run_id, attempt, version, at, data, NULL AS result
FROM workflow_events
WHERE thread_id = $1
    AND CASE WHEN $2::uuid[] IS NULL THEN run_id IS NULL ELSE run_id = ANY ($2::uuid[]) END
    AND name NOT IN ('step_progress', 'item_failed', 'attempt_discarded', 'state_quarantined')
ORDER BY seq
LIMIT $3;

-- timeline_items --
SELECT i.key_execution_id, i.step_name AS step_id, i.item, i.status, i.attempt, i.retry_count, i.agent, i.agent_version,
    i.error, i.session_id, i.started_at, i.completed_at, i.next_attempt_at
FROM unnest($2::uuid[], $3::text[]) AS wanted (key_execution_id, step_name)
CROSS JOIN LATERAL (
    SELECT * FROM workflow_items AS w
    WHERE w.thread_id = $1 AND w.key_execution_id = wanted.key_execution_id AND w.step_name = wanted.step_name
    ORDER BY w.item
    LIMIT $4
) AS i;

-- strayed --
-- Whether an event that can be seen is of a transaction that was not over here: it was over elsewhere.
SELECT coalesce(max(xact), 0) >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS strayed FROM workflow_events;

-- keep_out --
LOCK TABLE workflow_events IN SHARE ROW EXCLUSIVE MODE;

-- unmark --
DELETE FROM event_marks;

-- search_anew --
-- What open waits know of transactions was of that server too: messages count for them since their thread began.
UPDATE waits SET since = NULL, looked = NULL WHERE answered_at IS NULL AND (since IS NOT NULL OR looked IS NOT NULL);

-- place_anew --
-- Whole transactions keep their order; several may come into one place, where threads and their events are sorted.
WITH places AS (
    SELECT xact, row_number() OVER (ORDER BY xact) - 1 AS place, count(*) OVER () AS number
    FROM (SELECT DISTINCT xact FROM workflow_events) AS all_of_them
)
UPDATE workflow_events AS e
SET xact = 1 + places.place * (pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1) / places.number
FROM places
WHERE e.xact = places.xact;
