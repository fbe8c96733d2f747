-- Queues: who is taken up next, within the limits.

-- part line --
-- The queues and priorities in which somebody waits, by one look into the index threads_due for each, however many wait there.
line AS (
    (SELECT queue, priority FROM threads WHERE wake_at IS NOT NULL ORDER BY queue, priority LIMIT 1)
    UNION ALL
    SELECT next.queue, next.priority
    FROM line CROSS JOIN LATERAL (
        SELECT queue, priority FROM threads
        WHERE wake_at IS NOT NULL AND (queue, priority) > (line.queue, line.priority)
        ORDER BY queue, priority LIMIT 1
    ) AS next
)

-- claim --
-- $1: the process, $2: how many, $3: the usual limit of a named queue, $4: the queues whose rows are locked, NULL at first.
-- At first only the default queue, if it has no limit, is served, and only if no other queue has room for a due thread;
-- else nothing is taken and `queues` names them: the next statement, with them locked, counts what is running anew.
WITH RECURSIVE {line}, due AS MATERIALIZED (
    SELECT line.queue, line.priority, one.wake_at
    FROM line CROSS JOIN LATERAL (
        SELECT wake_at FROM threads WHERE queue = line.queue AND priority = line.priority AND wake_at <= now()
        ORDER BY wake_at LIMIT 1
    ) AS one
), rooms AS MATERIALIZED (
    SELECT waiting.queue, free.slots, least(free.slots, floor(queue_tokens(settings) + 1e-6)::int) AS room,
        waiting.queue <> 'default' OR settings.max_running IS NOT NULL OR settings.rate_count IS NOT NULL AS limited
    FROM (SELECT DISTINCT queue FROM due) AS waiting LEFT JOIN queues AS settings ON settings.name = waiting.queue
        CROSS JOIN LATERAL (SELECT queue_slots(waiting.queue, settings.max_running, $3) AS slots) AS free
), ranked AS (
    SELECT due.queue, due.priority, one.wake_at, rooms.room,
        row_number() OVER (PARTITION BY due.queue ORDER BY due.priority DESC, one.wake_at) AS place
    FROM rooms JOIN due USING (queue) CROSS JOIN LATERAL (
        SELECT wake_at FROM threads WHERE queue = due.queue AND priority = due.priority AND wake_at <= now()
        ORDER BY wake_at LIMIT least($2::int, rooms.room)
    ) AS one
    WHERE CASE
        WHEN $4::text[] IS NULL THEN NOT EXISTS (SELECT FROM rooms AS other WHERE other.limited AND other.room > 0)
        ELSE rooms.queue = ANY($4) OR NOT rooms.limited
    END
), shares AS MATERIALIZED (
    SELECT queue, priority, count(*) AS size
    FROM (SELECT * FROM ranked WHERE place <= room ORDER BY priority DESC, wake_at LIMIT $2) AS first
    GROUP BY queue, priority
), held AS MATERIALIZED (
    SELECT one.thread_id
    FROM shares CROSS JOIN LATERAL (
        SELECT thread_id FROM threads
        WHERE queue = shares.queue AND priority = shares.priority AND wake_at <= now()
        ORDER BY wake_at LIMIT shares.size FOR UPDATE SKIP LOCKED
    ) AS one
), taken AS (
    UPDATE threads SET incarnation_id = $1, epoch = epoch + 1, wake_at = NULL,
        signal = CASE WHEN signal LIKE 'look:%' THEN NULL ELSE signal END -- who takes it up looks at every gate anyway
    WHERE thread_id = ANY(ARRAY(SELECT thread_id FROM held))
    RETURNING *
), spent AS (
    UPDATE queues
    SET tokens = queue_tokens(queues) - used.threads, tokens_at = greatest(tokens_at, now())
    FROM (SELECT queue, count(*) AS threads FROM taken GROUP BY queue) AS used
    WHERE queues.name = used.queue AND rate_count IS NOT NULL
)
SELECT with_room.queues, taken.*
FROM (
    SELECT array_agg(queue ORDER BY top DESC, oldest) AS queues
    FROM rooms JOIN (SELECT queue, max(priority) AS top, min(wake_at) AS oldest FROM due GROUP BY queue) AS first USING (queue)
    WHERE limited AND room > 0
) AS with_room LEFT JOIN taken ON true
ORDER BY taken.priority DESC;

-- make --
INSERT INTO queues (name) SELECT name FROM unnest($1::text[]) AS name ORDER BY name ON CONFLICT DO NOTHING;

-- make_if_room --
-- $2: how many there may be beside the default one.  Two that come at once may each make the last one.
INSERT INTO queues (name) SELECT $1
WHERE $1 = 'default' OR (SELECT count(*) FROM queues WHERE name <> 'default') < $2::int
ON CONFLICT (name) DO UPDATE SET name = EXCLUDED.name
RETURNING name;

-- prune --
-- A queue that is told nothing and holds nobody is made again when it is wanted.
DELETE FROM queues
WHERE name <> 'default' AND max_running IS NULL AND max_depth IS NULL AND rate_count IS NULL AND created_at < now() - interval '1 hour'
    AND NOT EXISTS (SELECT FROM threads WHERE threads.queue = queues.name AND wake_at IS NOT NULL)
    AND NOT EXISTS (SELECT FROM threads WHERE threads.queue = queues.name AND incarnation_id IS NOT NULL
        AND threads.queue <> 'default');  -- as the index threads_running has it

-- lock --
-- A queue in which another process claims right now is passed over.
SELECT name FROM queues WHERE name = ANY($1::text[]) ORDER BY name FOR UPDATE SKIP LOCKED;

-- next_due --
-- $1: the usual limit.  A full queue is left out: a slot that becomes free is a hint of its own.
WITH RECURSIVE {line}, heads AS MATERIALIZED (
    SELECT line.queue, min(one.wake_at) AS wake_at
    FROM line CROSS JOIN LATERAL (
        SELECT wake_at FROM threads
        WHERE queue = line.queue AND priority = line.priority AND wake_at IS NOT NULL ORDER BY wake_at LIMIT 1
    ) AS one
    GROUP BY line.queue
)
SELECT min(greatest(0, extract(epoch FROM heads.wake_at - now())::float8,
    (1 - queue_tokens(settings)) * settings.rate_seconds / settings.rate_count)) AS seconds
FROM heads LEFT JOIN queues AS settings ON settings.name = heads.queue
WHERE queue_slots(heads.queue, settings.max_running, $1) > 0;

-- settings --
SELECT name, max_running, max_depth, rate_count, rate_seconds FROM queues WHERE name = $1;

-- configure --
-- $6: how many there may be beside the default one.  Another rate begins with a full bucket.
INSERT INTO queues AS queue (name, max_running, max_depth, rate_count, rate_seconds, tokens)
SELECT $1::text, $2::int, $3::int, $4::int, $5::float8, coalesce($4::int, 0)
WHERE $1::text = 'default' OR EXISTS (SELECT FROM queues WHERE name = $1::text)
    OR (SELECT count(*) FROM queues WHERE name <> 'default') < $6::int
ON CONFLICT (name) DO UPDATE
SET max_running = $2, max_depth = $3, rate_count = $4, rate_seconds = $5, updated_at = now(),
    tokens = CASE WHEN (queue.rate_count, queue.rate_seconds) IS NOT DISTINCT FROM ($4, $5) THEN queue.tokens
        ELSE coalesce($4, 0) END,
    tokens_at = CASE WHEN (queue.rate_count, queue.rate_seconds) IS NOT DISTINCT FROM ($4, $5) THEN queue.tokens_at
        ELSE now() END
RETURNING name;

-- load --
WITH RECURSIVE line AS (
    (SELECT priority FROM threads WHERE queue = $1 AND wake_at IS NOT NULL ORDER BY priority LIMIT 1)
    UNION ALL
    SELECT next.priority
    FROM line CROSS JOIN LATERAL (
        SELECT priority FROM threads WHERE queue = $1 AND wake_at IS NOT NULL AND priority > line.priority
        ORDER BY priority LIMIT 1
    ) AS next
), due AS (
    SELECT FROM line CROSS JOIN LATERAL (
        SELECT FROM threads WHERE queue = $1 AND priority = line.priority AND wake_at <= now()
        ORDER BY wake_at LIMIT $2::bigint
    ) AS one
    LIMIT $2
)
SELECT (SELECT count(*) FROM due) AS depth, queue_running($1) AS running;

-- report --
-- $1: a queue, or NULL for all, also those in which threads wait that nobody has made.
WITH RECURSIVE line AS (
    (SELECT queue FROM threads WHERE wake_at IS NOT NULL ORDER BY queue LIMIT 1)
    UNION ALL
    SELECT next.queue
    FROM line CROSS JOIN LATERAL (
        SELECT queue FROM threads WHERE wake_at IS NOT NULL AND queue > line.queue ORDER BY queue LIMIT 1
    ) AS next
), names AS (
    SELECT name FROM queues UNION SELECT queue FROM line UNION SELECT 'default'
)
SELECT names.name, settings.max_running, settings.max_depth, settings.rate_count, settings.rate_seconds,
    waiting.depth, waiting.delayed, queue_running(names.name) AS running,
    extract(epoch FROM now() - waiting.oldest)::float8 AS oldest_wait
FROM names LEFT JOIN queues AS settings USING (name) CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE wake_at <= now()) AS depth, count(*) FILTER (WHERE wake_at > now()) AS delayed,
        min(wake_at) FILTER (WHERE wake_at <= now()) AS oldest
    FROM threads WHERE wake_at IS NOT NULL AND queue = names.name
) AS waiting
WHERE $1::text IS NULL OR names.name = $1
ORDER BY names.name;
