-- What is deleted of webhooks, each some at a time.

-- ended --
DELETE FROM webhook_deliveries WHERE id IN (
    SELECT id FROM webhook_deliveries WHERE ended_at < now() - make_interval(secs => 86400 * $1::float8)
    ORDER BY ended_at LIMIT $2 FOR UPDATE SKIP LOCKED
);

-- deleted --
-- Of endpoints that were deleted, and what has waited too long for one that is disabled.
DELETE FROM webhook_deliveries WHERE id IN (
    SELECT d.id
    FROM webhooks AS w CROSS JOIN LATERAL (
        SELECT id FROM webhook_deliveries
        WHERE endpoint_id = w.id
            AND (w.deleted_at IS NOT NULL
                OR (status = 'pending' AND at < now() - make_interval(secs => 86400 * $1::float8)))
        LIMIT $2 FOR UPDATE SKIP LOCKED
    ) AS d
    WHERE NOT w.enabled
    LIMIT $2
);

-- lanes --
-- Empty ones, and those of endpoints that were deleted.
DELETE FROM webhook_lanes WHERE due_at IS NULL AND (lane, endpoint_id) IN (
    SELECT lane, endpoint_id FROM webhook_lanes WHERE due_at IS NULL LIMIT $1 FOR UPDATE SKIP LOCKED
);

-- dead_lanes --
DELETE FROM webhook_lanes WHERE (lane, endpoint_id) IN (
    SELECT l.lane, l.endpoint_id
    FROM webhooks AS w JOIN webhook_lanes AS l ON l.target = w.id::text AND l.due_at IS NOT NULL
    WHERE w.deleted_at IS NOT NULL
    LIMIT $1 FOR UPDATE OF l SKIP LOCKED
);

-- tombstones --
DELETE FROM webhooks AS w
WHERE w.deleted_at < now() - interval '1 hour'
    AND NOT EXISTS (SELECT FROM webhook_deliveries AS d WHERE d.endpoint_id = w.id)
    AND NOT EXISTS (SELECT FROM webhook_lanes AS l WHERE l.target = w.id::text);
