-- What PostgresWorkers asks.

-- listed --
-- A thread is counted by the index of those that are driven.
SELECT i.id, i.host, i.process, i.started_at, i.heartbeat_at,
    extract(epoch FROM now() - i.heartbeat_at)::float8 AS silent_for,
    (
        SELECT json_object_agg(found.queue, found.number)
        FROM (SELECT queue, count(*) AS number FROM threads WHERE incarnation_id = i.id GROUP BY queue) AS found
    ) AS threads
FROM (SELECT * FROM incarnations ORDER BY started_at DESC, id DESC LIMIT $1) AS i
ORDER BY i.started_at DESC, i.id DESC;
