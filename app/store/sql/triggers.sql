-- What PostgresTriggers asks.

-- part columns --
id, name, topic, workflow, condition, input, key, "window", enabled, queue, priority, delay, description, xact, rev, created_at,
    updated_at

-- create --
-- $14: how many there may be.
INSERT INTO triggers (id, name, topic, workflow, condition, input, key, "window", enabled, queue, priority, delay, description)
SELECT $1::uuid, $2, $3, $4, $5, $6::json, $7, $8, $9, $10, $11, $12, $13
WHERE (SELECT count(*) FROM triggers) < $14::int
ON CONFLICT DO NOTHING
RETURNING {columns};

-- find --
SELECT {columns} FROM triggers WHERE tenant = 'default' AND name = $1;

-- listed --
SELECT {columns} FROM triggers WHERE tenant = 'default' AND name COLLATE "C" > $1 ORDER BY name COLLATE "C" LIMIT $2;

-- change --
-- $14: the rev that was seen.  One that is enabled again is for what is published from then on.
UPDATE triggers
SET topic = $3, workflow = $4, condition = $5, input = $6::json, key = $7, "window" = $8, enabled = $9, queue = $10,
    priority = $11, delay = $12, description = $13, rev = rev + 1, updated_at = now(),
    xact = CASE WHEN $9 AND NOT enabled THEN pg_current_xact_id()::text::bigint ELSE xact END
WHERE tenant = 'default' AND id = $1::uuid AND name = $2 AND rev = $14
RETURNING {columns};

-- delete --
WITH gone AS (
    DELETE FROM triggers WHERE tenant = 'default' AND name = $1 RETURNING id
), forgotten AS (
    DELETE FROM trigger_firings USING gone WHERE trigger_id = gone.id AND outcome = 'waiting'
)
SELECT id FROM gone;

-- load --
-- Of what is known ($1, $2 by id and rev) without its content.
SELECT t.id, known.rev IS NULL AS new, name, topic, workflow, condition, CASE WHEN known.rev IS NULL THEN input END AS input, key,
    "window", enabled, queue, priority, delay, description, xact, t.rev, created_at, updated_at
FROM triggers AS t LEFT JOIN unnest($1::uuid[], $2::bigint[]) AS known (id, rev) ON known.id = t.id AND known.rev = t.rev
WHERE t.enabled;

-- acted --
SELECT id FROM trigger_firings WHERE id = ANY ($1::uuid[]);

-- record --
INSERT INTO trigger_firings (id, trigger_id, source, message_id, topic, outcome, error, start, attempts, try_at)
SELECT id, trigger_id, source, message_id, topic, outcome, error::json, start::json, attempts,
    CASE WHEN outcome = 'waiting' THEN now() + make_interval(secs => pause) END
FROM unnest(
    $1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::int[], $10::float8[]
) AS g (id, trigger_id, source, message_id, topic, outcome, error, start, attempts, pause)
ORDER BY id
ON CONFLICT DO NOTHING;

-- claim --
-- $1 trigger, $2 key, $3 firing, $4 its time, $5 until when.  Whoever holds it already is told who does, and may be that firing.
INSERT INTO trigger_keys AS held (trigger_id, key, firing_id, until) VALUES ($1::uuid, $2, $3::uuid, $5)
ON CONFLICT (trigger_id, key) DO UPDATE
SET firing_id = CASE WHEN held.until <= $4 THEN excluded.firing_id ELSE held.firing_id END,
    until = CASE WHEN held.until <= $4 THEN excluded.until ELSE held.until END
RETURNING firing_id, until;

-- forgo --
DELETE FROM trigger_keys WHERE firing_id = ANY ($1::uuid[]);

-- due --
-- Of each trigger in turn, so that one of which very many wait leaves the others their chance.
WITH due AS (
    SELECT f.id FROM trigger_firings AS f
    WHERE f.outcome = 'waiting' AND f.try_at <= now() AND f.id = ANY (ARRAY(
        SELECT one.id
        FROM triggers AS t CROSS JOIN LATERAL (
            SELECT w.id, w.try_at, row_number() OVER (ORDER BY w.try_at) AS place FROM trigger_firings AS w
            WHERE w.trigger_id = t.id AND w.outcome = 'waiting' AND w.try_at <= now()
            ORDER BY w.try_at
            LIMIT $1
        ) AS one
        WHERE t.enabled AND EXISTS (SELECT FROM trigger_firings WHERE outcome = 'waiting')
        ORDER BY one.place, one.try_at
        LIMIT $1
    ))
    FOR UPDATE SKIP LOCKED
), taken AS (
    UPDATE trigger_firings AS f SET try_at = now() + make_interval(secs => $2::float8) FROM due WHERE f.id = due.id
    RETURNING f.*
)
SELECT f.id AS firing_id, f.source, f.message_id, f.topic AS message_topic, f.outcome, f.error, f.start, f.attempts, f.at, t.*
FROM taken AS f JOIN triggers AS t ON t.id = f.trigger_id
ORDER BY f.at, f.id;

-- settle --
UPDATE trigger_firings AS f
SET outcome = g.outcome, error = g.error::json, attempts = g.attempts,
    start = CASE WHEN g.outcome = 'waiting' THEN f.start END,
    try_at = CASE WHEN g.outcome = 'waiting' THEN now() + make_interval(secs => g.pause) END
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::int[], $5::float8[]) AS g (id, outcome, error, attempts, pause)
WHERE f.id = g.id AND f.outcome = 'waiting';

-- firings --
SELECT id, trigger_id, source, message_id, topic, outcome, error, attempts, at, NULL AS start FROM trigger_firings
WHERE trigger_id = $1::uuid /* filters */
ORDER BY at DESC, id DESC
LIMIT $2;

-- chains --
-- Of these threads, or of those that they are sub-workflows of.
WITH RECURSIVE family AS (
    SELECT thread_id AS asked, thread_id, parent_thread_id FROM threads WHERE thread_id = ANY ($1::text[])
    UNION
    SELECT family.asked, t.thread_id, t.parent_thread_id
    FROM family CROSS JOIN LATERAL (
        SELECT thread_id, parent_thread_id FROM threads WHERE thread_id = family.parent_thread_id OFFSET 0
    ) AS t
)
SELECT family.asked AS thread_id, x.parameters -> 'chain' AS chain
FROM family JOIN workflow_executions AS x ON x.thread_id = family.thread_id
WHERE x.kind = 'invoke' AND x.parameters -> 'chain' IS NOT NULL;

-- waiting --
SELECT count(*) AS number FROM trigger_firings AS f
WHERE outcome = 'waiting' AND EXISTS (SELECT FROM triggers AS t WHERE t.id = f.trigger_id);

-- prune --
WITH old AS (
    SELECT id FROM trigger_firings
    WHERE at < now() - make_interval(secs => $1::float8 * 86400)
        AND (outcome <> 'waiting' OR NOT EXISTS (SELECT FROM triggers AS t WHERE t.id = trigger_id))
    ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM trigger_firings USING old WHERE trigger_firings.id = old.id RETURNING 1
), free AS (
    SELECT trigger_id, key FROM trigger_keys WHERE until < now() - make_interval(secs => $1::float8 * 86400)
    ORDER BY until LIMIT $2 FOR UPDATE SKIP LOCKED
), freed AS (
    DELETE FROM trigger_keys AS k USING free WHERE (k.trigger_id, k.key) = (free.trigger_id, free.key) RETURNING 1
)
SELECT (SELECT count(*) FROM gone) + (SELECT count(*) FROM freed) AS number;
