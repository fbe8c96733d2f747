-- What PostgresWebhooks, PostgresDeliveries and PostgresDeliveryLog ask.

-- part columns --
id, url, topics, workflows, headers, secret, old_secret, old_secret_until, description, enabled, disabled_reason, failing_since,
    created_at, updated_at;

-- part service --
'00000000-0000-0000-0000-000000000000'::uuid;

-- part bare --
id, endpoint_id, thread_id, lane, seq, target, message_id, topic, status, attempts, tries, at, queued_at, next_attempt_at, ended_at;

-- listed --
SELECT {columns} FROM webhooks
WHERE deleted_at IS NULL AND id <> {service} AND id > $1
ORDER BY id LIMIT $2;

-- find --
SELECT {columns} FROM webhooks WHERE deleted_at IS NULL AND id = $1;

-- add --
-- $11: so many there may be.  Two that are added at once may be one too many.
INSERT INTO webhooks (id, url, topics, workflows, headers, secret, description, enabled, created_at, updated_at)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10
WHERE $1 = {service} OR (SELECT count(*) FROM webhooks WHERE deleted_at IS NULL AND id <> {service}) < $11
ON CONFLICT DO NOTHING
RETURNING id;

-- change --
-- Fields that $2 names; one that is enabled has its failures behind it, and what was to be tried again later is due.
WITH changed AS (
    UPDATE webhooks
    SET url = CASE WHEN 'url' = ANY ($2::text[]) THEN $3 ELSE url END,
        topics = CASE WHEN 'topics' = ANY ($2::text[]) THEN $4 ELSE topics END,
        workflows = CASE WHEN 'workflows' = ANY ($2::text[]) THEN $5 ELSE workflows END,
        headers = CASE WHEN 'headers' = ANY ($2::text[]) THEN $6 ELSE headers END,
        description = CASE WHEN 'description' = ANY ($2::text[]) THEN $7 ELSE description END,
        enabled = CASE WHEN 'enabled' = ANY ($2::text[]) THEN $8 ELSE enabled END,
        disabled_reason = CASE WHEN 'enabled' = ANY ($2::text[]) THEN NULL ELSE disabled_reason END,
        failing_since = CASE WHEN 'enabled' = ANY ($2::text[]) AND $8 THEN NULL ELSE failing_since END,
        enabled_at = CASE WHEN 'enabled' = ANY ($2::text[]) AND $8 AND NOT enabled THEN now() ELSE enabled_at END,
        updated_at = now()
    WHERE id = $1 AND id <> {service} AND deleted_at IS NULL
    RETURNING {columns}
), due AS (
    UPDATE webhook_lanes SET due_at = now()
    WHERE (lane, endpoint_id) IN (
        SELECT l.lane, l.endpoint_id FROM webhook_lanes AS l JOIN changed ON l.target = changed.id::text
        WHERE $8 AND l.due_at > now() AND l.holder IS NULL
        ORDER BY l.lane, l.endpoint_id
        FOR UPDATE OF l SKIP LOCKED
    )
)
SELECT * FROM changed;

-- rotate --
UPDATE webhooks
SET old_secret = secret, old_secret_until = now() + make_interval(secs => $3::float8), secret = $2, updated_at = now()
WHERE id = $1 AND deleted_at IS NULL
RETURNING {columns};

-- delete --
UPDATE webhooks SET enabled = false, deleted_at = now()
WHERE id = $1 AND id <> {service} AND deleted_at IS NULL
RETURNING id;

-- enabled --
SELECT {columns} FROM webhooks WHERE enabled AND id <> {service} ORDER BY id;

-- wanted_events --
-- The lists of events that there are, each once: a look into the index for each.
WITH RECURSIVE lists AS (
    (SELECT events FROM thread_webhooks ORDER BY events LIMIT 1)
    UNION ALL
    SELECT (SELECT t.events FROM thread_webhooks AS t WHERE t.events > lists.events ORDER BY t.events LIMIT 1)
    FROM lists WHERE lists.events IS NOT NULL
)
SELECT DISTINCT unnest(events) AS name FROM lists;

-- of_threads --
SELECT thread_id, from_seq, id, url, events, headers, secret, gone_at IS NOT NULL AS gone
FROM thread_webhooks WHERE thread_id = ANY ($1::text[])
ORDER BY thread_id, from_seq;

-- delivered --
UPDATE webhooks SET failing_since = NULL WHERE id = $1 AND failing_since IS NOT NULL;

-- part quiet --
interval '2 days';

-- failed --
-- Written when it begins to fail, once an hour while it does, and when it is given up: $2 its receiver is gone, $3 seconds that it
-- may fail.  Who has not failed for longer than that, and two days for the pauses, begins anew: nothing was sent meanwhile.
WITH told AS (
    SELECT id, CASE WHEN failed_at > now() - make_interval(secs => $3::float8) - {quiet} THEN failing_since END AS since
    FROM webhooks WHERE id = $1 AND enabled
    FOR UPDATE
)
UPDATE webhooks AS w
SET failing_since = coalesce(told.since, now()),
    failed_at = now(),
    enabled = NOT $2 AND (told.since IS NULL OR told.since > now() - make_interval(secs => $3::float8)),
    disabled_reason = CASE
        WHEN $2 THEN 'its receiver answered 410: it is gone'
        WHEN told.since <= now() - make_interval(secs => $3::float8)
        THEN 'nothing was delivered since ' || to_char(told.since, 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
    END,
    updated_at = now()
FROM told
WHERE w.id = told.id
    AND ($2 OR told.since IS NULL OR told.since <= now() - make_interval(secs => $3::float8)
        OR w.failed_at < now() - interval '1 hour')
RETURNING disabled_reason;

-- thread_gone --
WITH gone AS (
    UPDATE thread_webhooks SET gone_at = now() WHERE thread_id = $1 AND id = $2 RETURNING id
)
UPDATE webhook_deliveries SET status = 'failed', ended_at = now(), next_attempt_at = NULL
WHERE endpoint_id = $2 AND status = 'pending' AND EXISTS (SELECT FROM gone);

-- failing --
SELECT {columns} FROM webhooks
WHERE deleted_at IS NULL
    AND ((failing_since IS NOT NULL AND failed_at > now() - {quiet}) OR disabled_reason IS NOT NULL)
ORDER BY id;

-- part lanes --
-- What a lane has got is counted, so that whoever finds it empty knows whether it still is.
INSERT INTO webhook_lanes (lane, endpoint_id, target, due_at)
SELECT DISTINCT lane, endpoint_id, target, now() FROM queued ORDER BY lane, endpoint_id
ON CONFLICT (lane, endpoint_id) DO UPDATE
SET news = webhook_lanes.news + 1, due_at = coalesce(webhook_lanes.due_at, now());

-- put --
WITH queued AS (
    INSERT INTO webhook_deliveries (id, endpoint_id, thread_id, lane, seq, target, message_id, topic, body, at, next_attempt_at)
    SELECT id, endpoint_id, thread_id, lane, seq, target, message_id, topic, body, at, now()
    FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::text[],
        $10::timestamptz[])
        AS given (id, endpoint_id, thread_id, lane, seq, target, message_id, topic, body, at)
    ORDER BY id
    ON CONFLICT DO NOTHING
    RETURNING lane, endpoint_id, target
), held AS (
    {lanes}
)
SELECT count(*) FROM queued;

-- adopt --
-- What a process held that is known no more.
UPDATE webhook_lanes SET holder = NULL, due_at = now()
WHERE (lane, endpoint_id) IN (
    SELECT l.lane, l.endpoint_id FROM webhook_lanes AS l
    WHERE l.holder IS NOT NULL AND NOT EXISTS (SELECT FROM incarnations AS i WHERE i.id = l.holder)
    ORDER BY l.lane, l.endpoint_id
    FOR UPDATE SKIP LOCKED
);

-- claim --
-- Of each target that something waits for, those that are due for longest, $4 with those that are on their way ($5, $6); of them
-- all, $3, first of those targets to which the least is on its way: who hangs gets its share only of what others leave.  A look
-- into the index for each target: one for which much waits costs no more than others.  Locked is only what is claimed; more is
-- looked for than that, in case another process locks some at this moment.
WITH RECURSIVE targets AS (
    (SELECT target FROM webhook_lanes WHERE due_at IS NOT NULL ORDER BY target LIMIT 1)
    UNION ALL
    SELECT (
        SELECT l.target FROM webhook_lanes AS l WHERE l.due_at IS NOT NULL AND l.target > t.target ORDER BY l.target LIMIT 1
    )
    FROM targets AS t WHERE t.target IS NOT NULL
), ranked AS MATERIALIZED (
    SELECT due.lane, due.endpoint_id, due.due_at,
        coalesce(busy.number, 0) + row_number() OVER (PARTITION BY targets.target ORDER BY due.due_at) AS rank
    FROM targets LEFT JOIN unnest($5::text[], $6::int[]) AS busy (target, number) USING (target)
    CROSS JOIN LATERAL (
        SELECT l.lane, l.endpoint_id, l.due_at FROM webhook_lanes AS l
        WHERE l.target = targets.target AND l.due_at <= now()
        ORDER BY l.due_at LIMIT greatest(0, $4::int - coalesce(busy.number, 0))
    ) AS due
    WHERE NOT EXISTS (SELECT FROM webhooks AS w WHERE w.id::text = targets.target AND NOT w.enabled)
    ORDER BY rank, due.due_at LIMIT 4 * $3
), found AS MATERIALIZED (
    SELECT l.lane, l.endpoint_id
    FROM ranked JOIN webhook_lanes AS l USING (lane, endpoint_id)
    WHERE l.due_at <= now()
    ORDER BY ranked.rank, ranked.due_at LIMIT $3
    FOR UPDATE OF l SKIP LOCKED
)
UPDATE webhook_lanes AS lane SET holder = $1, due_at = now() + make_interval(secs => $2::float8)
FROM found WHERE lane.lane = found.lane AND lane.endpoint_id = found.endpoint_id
RETURNING lane.lane, lane.endpoint_id, lane.target;

-- next --
-- Without a `url` there is nobody to tell: its endpoint or its thread was deleted.  What has waited for an endpoint that was
-- disabled has waited since it was enabled.
-- `news` is as old as what is found pending: both are of the statement's own snapshot, while `held` may have waited for a lock.
WITH held AS (
    UPDATE webhook_lanes SET due_at = now() + make_interval(secs => $4::float8)
    WHERE lane = $1 AND endpoint_id = $2 AND holder = $3
    RETURNING lane
)
SELECT lane.news, d.id, d.endpoint_id, d.thread_id, d.lane, d.seq, d.target, d.message_id, d.topic, d.body, d.status, d.attempts,
    d.tries, d.at, greatest(d.queued_at, w.enabled_at) AS queued_at, d.next_attempt_at, d.ended_at,
    CASE WHEN d.thread_id IS NULL OR EXISTS (SELECT FROM threads WHERE threads.thread_id = d.thread_id) THEN coalesce(w.url, t.url)
    END AS url, coalesce(w.headers, t.headers) AS headers, coalesce(w.secret, t.secret, s.secret) AS secret,
    CASE WHEN w.id IS NOT NULL THEN w.old_secret WHEN t.secret IS NULL THEN s.old_secret END AS old_secret,
    CASE WHEN w.id IS NOT NULL THEN w.old_secret_until > now() WHEN t.secret IS NULL THEN s.old_secret_until > now() END AS both,
    w.enabled IS FALSE AS disabled
FROM webhook_lanes AS lane
LEFT JOIN LATERAL (
    SELECT * FROM webhook_deliveries
    WHERE endpoint_id = $2 AND webhook_deliveries.lane = $1 AND webhook_deliveries.status = 'pending'
    ORDER BY seq LIMIT 1
) AS d ON true
LEFT JOIN webhooks AS w ON w.id = $2 AND w.deleted_at IS NULL
LEFT JOIN thread_webhooks AS t ON t.thread_id = $1 AND t.id = $2
LEFT JOIN webhooks AS s ON s.id = {service}
WHERE lane.lane = $1 AND lane.endpoint_id = $2 AND lane.holder = $3 AND EXISTS (SELECT FROM held);

-- finish --
-- $4 the delivery, $5 what it is now, $6 seconds that it waits, $7 the try, $8 how many tries are kept.
WITH held AS (
    UPDATE webhook_lanes
    SET holder = CASE WHEN $5 = 'pending' THEN NULL ELSE holder END,
        due_at = CASE WHEN $5 = 'pending' THEN now() + make_interval(secs => $6::float8) ELSE due_at END
    WHERE lane = $1 AND endpoint_id = $2 AND holder = $3
    RETURNING lane
)
UPDATE webhook_deliveries
SET status = $5, attempts = attempts + 1,
    tries = (array_append(tries, $7::json))[greatest(1, cardinality(tries) + 2 - $8::int):],
    next_attempt_at = CASE WHEN $5 = 'pending' THEN now() + make_interval(secs => $6::float8) END,
    ended_at = CASE WHEN $5 <> 'pending' THEN now() END
WHERE id = $4 AND status = 'pending' AND EXISTS (SELECT FROM held)
RETURNING id;

-- release --
UPDATE webhook_lanes SET holder = NULL, due_at = CASE WHEN news = $4::bigint THEN NULL ELSE now() END
WHERE lane = $1 AND endpoint_id = $2 AND holder = $3;

-- release_all --
UPDATE webhook_lanes SET holder = NULL, due_at = now() WHERE holder = $1;

-- backlog --
SELECT count(*) AS pending, min(at) AS oldest
FROM (
    SELECT d.at FROM webhook_deliveries AS d
    WHERE d.status = 'pending'
        AND NOT EXISTS (SELECT FROM webhooks AS w WHERE w.id = d.endpoint_id AND NOT w.enabled)
    LIMIT $1
) AS waiting;

-- page --
SELECT {bare} FROM webhook_deliveries
WHERE true /* filters */
ORDER BY at DESC, seq DESC, id DESC LIMIT ALL /* limit */;

-- delivery --
SELECT {bare}, body FROM webhook_deliveries WHERE id = $1;

-- note --
INSERT INTO webhook_deliveries (id, endpoint_id, lane, seq, target, message_id, topic, body, status, attempts, tries, at, queued_at,
    ended_at)
VALUES ($1, $2, $3, 0, $4, $5, $6, $7, $8, 1, $9::json[], $10, $10, now());

-- some_failed --
SELECT at, id FROM webhook_deliveries
WHERE endpoint_id = $1 AND status = 'failed' AND (at, id) > ($2, $3::uuid) AND topic <> 'webhook.test'
ORDER BY at, id LIMIT $4;

-- again_lanes --
-- Before the deliveries, as everywhere; whoever holds the lane looks into it once more.
WITH queued AS (
    SELECT lane, endpoint_id, target FROM webhook_deliveries WHERE id = ANY ($1::uuid[])
), held AS (
    {lanes}
    RETURNING lane, endpoint_id
)
SELECT lane, endpoint_id FROM held;

-- again_due --
UPDATE webhook_lanes SET due_at = now()
WHERE holder IS NULL AND (lane, endpoint_id) IN (SELECT * FROM unnest($1::text[], $2::uuid[]));

-- again --
UPDATE webhook_deliveries SET status = 'pending', attempts = 0, queued_at = now(), next_attempt_at = now(), ended_at = NULL
WHERE id = ANY ($1::uuid[])
RETURNING id;
