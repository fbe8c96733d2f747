-- What PostgresSchedules asks.  Whoever decides about a schedule has claimed it: `owner` is that process, `look_at` when another
-- may claim it, and each claim and each change by people raises `rev`, which every later write of that process demands.
-- In what is `given` the error is JSON within a text: json_to_recordset refuses \u0000.

-- part columns --
id, name, plan, paused, pause_reason, revision, rev, since, next_fire_at, next_due_at, last_fire_at, fired, created_at, updated_at

-- part firing --
f.schedule_id, f.fire_time, f.kind, f.outcome, f.due_at, f.decided_at, f.overlap, f.reason, f.error, f.attempts, f.missed,
    f.until, f.started_at, f.watched

-- part given --
(schedule_id uuid, fire_time timestamptz, kind text, outcome text, due_at timestamptz, decided_at timestamptz, overlap text,
    reason text, error text, attempts int, missed int, until timestamptz, thread text, watched boolean)

-- part values --
schedule_id, fire_time, kind, outcome, due_at, decided_at, overlap, reason, error::json, attempts, missed, until, thread, watched

-- part fields --
schedule_id, fire_time, kind, outcome, due_at, decided_at, overlap, reason, error, attempts, missed, until, thread, watched

-- now --
SELECT now() AS now;

-- create --
INSERT INTO schedules (tenant, id, name, plan, workflow, paused, pause_reason, since, next_fire_at, next_due_at, look_at,
    created_at, updated_at)
VALUES ($1, $2::uuid, $3, $4::json, $5, $6, $7, $8, $9, $10, now(), $11, $11)
ON CONFLICT DO NOTHING
RETURNING id;

-- schedule --
SELECT {columns} FROM schedules WHERE tenant = $1 AND name = $2;

-- schedules --
SELECT s.*, {firing}, t.status AS thread_status
FROM (
    SELECT {columns} FROM schedules WHERE tenant = $1 AND name > $2 /* filters */ ORDER BY name LIMIT $3
) AS s
LEFT JOIN LATERAL (
    SELECT * FROM schedule_firings WHERE schedule_id = s.id ORDER BY fire_time DESC LIMIT 1
) AS f ON true
LEFT JOIN threads AS t ON t.thread_id = f.thread
ORDER BY s.name;

-- change --
UPDATE schedules SET plan = $3::json, workflow = $4, paused = $5, pause_reason = $6, since = $7, next_fire_at = $8,
    next_due_at = $9, revision = revision + 1, rev = rev + 1, look_at = now(), owner = NULL, updated_at = now()
WHERE id = $1::uuid AND rev = $2
RETURNING {columns};

-- delete --
WITH gone AS (
    DELETE FROM schedules WHERE tenant = $1 AND name = $2 RETURNING id
), firings AS (
    DELETE FROM schedule_firings WHERE schedule_id IN (SELECT id FROM gone)
)
SELECT id FROM gone;

-- request --
WITH held AS (
    UPDATE schedules SET rev = rev + 1, look_at = now(), owner = NULL WHERE id = $1::uuid RETURNING id
)
INSERT INTO schedule_firings AS f ({fields})
SELECT {values} FROM json_to_recordset($2::json) AS given {given} JOIN held ON held.id = given.schedule_id
ON CONFLICT (schedule_id, fire_time) DO UPDATE
SET kind = excluded.kind, outcome = excluded.outcome, decided_at = excluded.decided_at, overlap = excluded.overlap,
    watched = excluded.watched, reason = NULL, error = NULL, attempts = 0, missed = NULL, until = NULL
WHERE f.outcome IN ('skipped', 'missed', 'failed')
RETURNING {firing};

-- known --
SELECT {firing}, t.status AS thread_status
FROM schedule_firings AS f LEFT JOIN threads AS t ON t.thread_id = f.thread
WHERE f.schedule_id = $1::uuid AND f.fire_time = ANY($2::timestamptz[])
ORDER BY f.fire_time;

-- firings --
SELECT {firing}, t.status AS thread_status
FROM schedule_firings AS f LEFT JOIN threads AS t ON t.thread_id = f.thread
WHERE f.schedule_id = $1::uuid /* filters */
ORDER BY f.fire_time DESC
LIMIT $2;

-- claim --
-- Those that are to be looked at, and those of a process that serves no more.  Of nothing to do this is two looks into indexes,
-- and no transaction id is drawn.
WITH due AS MATERIALIZED (
    SELECT id FROM schedules WHERE look_at <= now() ORDER BY look_at LIMIT $3 FOR UPDATE SKIP LOCKED
), orphans AS MATERIALIZED (
    SELECT id FROM schedules AS s
    WHERE owner IS NOT NULL AND NOT EXISTS (SELECT FROM incarnations AS i WHERE i.id = s.owner)
    LIMIT $3 FOR UPDATE OF s SKIP LOCKED
), taken AS (
    UPDATE schedules SET owner = $1::uuid, look_at = now() + make_interval(secs => $2::float8), rev = rev + 1
    WHERE id = ANY (ARRAY(SELECT id FROM due UNION SELECT id FROM orphans))
    RETURNING {columns}
)
SELECT now() AS now, (SELECT extract(epoch FROM min(look_at) - now())::float8 FROM schedules WHERE look_at > now()) AS next_in,
    taken.*
FROM (SELECT) AS one LEFT JOIN taken ON true;

-- open_firings --
SELECT {firing}, t.status AS thread_status
FROM unnest($1::uuid[]) AS wanted (id) CROSS JOIN LATERAL (
    SELECT * FROM schedule_firings WHERE schedule_id = wanted.id AND open ORDER BY outcome = 'buffered', fire_time LIMIT $2
) AS f LEFT JOIN threads AS t ON t.thread_id = f.thread
ORDER BY f.fire_time;

-- settle --
WITH held AS (
    UPDATE schedules AS s SET next_fire_at = m.next_fire_at, next_due_at = m.next_due_at, last_fire_at = m.last_fire_at,
        fired = m.fired, look_at = CASE WHEN m.stays THEN s.look_at ELSE m.look_at END, owner = CASE WHEN m.stays THEN s.owner END
    FROM json_to_recordset($1::json) AS m (id uuid, rev bigint, next_fire_at timestamptz, next_due_at timestamptz,
        last_fire_at timestamptz, fired int, look_at timestamptz, stays boolean)
    WHERE s.id = m.id AND s.rev = m.rev
    RETURNING s.id
), made AS (
    INSERT INTO schedule_firings ({fields})
    SELECT {values} FROM json_to_recordset($2::json) AS given {given} WHERE schedule_id IN (SELECT id FROM held)
    ON CONFLICT DO NOTHING
    RETURNING schedule_id, fire_time
), changed AS (
    UPDATE schedule_firings AS f SET outcome = c.outcome, decided_at = c.decided_at, reason = c.reason, watched = c.watched
    FROM json_to_recordset($3::json) AS c {given}
    WHERE f.schedule_id = c.schedule_id AND f.fire_time = c.fire_time AND f.outcome = 'buffered'
        AND c.schedule_id IN (SELECT id FROM held)
), closed AS (
    UPDATE schedule_firings AS f SET watched = false
    FROM json_to_recordset($4::json) AS c (schedule_id uuid, fire_time timestamptz)
    WHERE f.schedule_id = c.schedule_id AND f.fire_time = c.fire_time AND f.outcome = 'started'
        AND c.schedule_id IN (SELECT id FROM held)
)
SELECT held.id, made.fire_time FROM held LEFT JOIN made ON made.schedule_id = held.id;

-- note --
UPDATE schedule_firings AS f SET outcome = n.outcome, reason = n.reason, error = n.error::json, attempts = n.attempts,
    watched = n.watched, started_at = CASE WHEN n.outcome = 'started' THEN now() END
FROM json_to_recordset($1::json) AS n {given}
WHERE f.schedule_id = n.schedule_id AND f.fire_time = n.fire_time AND f.outcome = 'starting';

-- let_go --
UPDATE schedules AS s SET look_at = l.look_at, owner = NULL
FROM json_to_recordset($1::json) AS l (id uuid, rev bigint, look_at timestamptz)
WHERE s.id = l.id AND s.rev = l.rev;

-- release --
UPDATE schedules SET owner = NULL, look_at = now(), rev = rev + 1 WHERE owner = $1::uuid;

-- touch --
UPDATE schedules SET look_at = now() WHERE id = ANY($1::uuid[]) AND owner IS NULL;

-- tidy --
-- What is still open stays, unless its schedule was deleted in the moment in which it was written.
DELETE FROM schedule_firings WHERE ctid = ANY (ARRAY(
    SELECT f.ctid FROM schedule_firings AS f
    WHERE f.decided_at < now() - make_interval(secs => $1::float8 * 86400)
        AND (f.outcome NOT IN ('starting', 'buffered') OR NOT EXISTS (SELECT FROM schedules AS s WHERE s.id = f.schedule_id))
        AND NOT (f.watched AND EXISTS (
            SELECT FROM threads AS t
            WHERE t.thread_id = f.thread AND t.status IN ('pending', 'running', 'waiting', 'paused')))
    ORDER BY f.decided_at LIMIT $2 FOR UPDATE OF f SKIP LOCKED))
RETURNING 1;

-- trim --
DELETE FROM schedule_firings WHERE ctid = ANY (ARRAY(
    SELECT f.ctid FROM schedule_firings AS f
    WHERE f.schedule_id = $1::uuid AND NOT f.open
        AND f.fire_time < (SELECT fire_time FROM schedule_firings WHERE schedule_id = $1::uuid
            ORDER BY fire_time DESC OFFSET $2 - 1 LIMIT 1)
    ORDER BY f.fire_time LIMIT $3 FOR UPDATE SKIP LOCKED))
RETURNING 1;
