-- What PostgresWaits asks beside what waiting.sql has, whose parts are used.  $1 to $5 are a wait's key.
-- `idle` takes one that waits no more, though nothing answered it, out of the indexes in which messages are looked up: its
-- thread has ended, or its step run has.  Whoever waits for the same anew opens it, and it is idle no more.

-- part began --
-- From where on messages count: as it was said, or since the event with which the thread began, wherever that was imported to.
coalesce(gate.since, (
    SELECT event.xact FROM workflow_events AS event WHERE event.thread_id = gate.thread_id AND event.seq = gate.begin_seq
), 0) AS began

-- find --
SELECT gate.*, {began}, {found};

-- open --
-- $6: the step run, $13: seconds until the timeout.  A step run that has ended begins nothing anew, nor does one of a thread that
-- has been deleted.
INSERT INTO waits AS gate (thread_id, key_execution_id, step_name, item, round, run_id, topic, signal, match, given, begin_seq,
    since, timeout_at)
SELECT thread_id, $2::uuid, $3::text, $4::int, $5::int, $6::uuid, $7::text, $8::text, $9::text, $10::json,
    $11::bigint, $12::bigint, now() + make_interval(secs => $13)
FROM threads WHERE thread_id = $1 FOR KEY SHARE
ON CONFLICT (thread_id, key_execution_id, step_name, item, round) DO UPDATE
SET run_id = EXCLUDED.run_id, topic = EXCLUDED.topic, signal = EXCLUDED.signal, match = EXCLUDED.match,
    given = EXCLUDED.given, looked = NULL, missed = false, idle = false, opened_at = now(), timeout_at = EXCLUDED.timeout_at
WHERE gate.answered_at IS NULL AND gate.run_id <> EXCLUDED.run_id AND EXISTS (
    SELECT FROM workflow_steps AS run
    WHERE run.thread_id = gate.thread_id AND run.id = EXCLUDED.run_id AND run.completed_at IS NULL
);

-- take_signal --
-- The oldest signal that is there for a wait, with the lock of the thread's row.  A wait that is none any more takes none.
WITH wanting AS (
    SELECT gate.signal, gate.begin_seq
    FROM waits AS gate JOIN threads AS thread USING (thread_id)
    WHERE {key} AND gate.answered_at IS NULL AND {waits}
), next AS (
    SELECT sent.place, sent.value, sent.value_sha256, sent.sent_by
    FROM signals AS sent JOIN wanting ON sent.name = wanting.signal AND sent.at_seq >= wanting.begin_seq
    WHERE sent.thread_id = $1 AND sent.taken_at IS NULL
    ORDER BY sent.place LIMIT 1
), taken AS (
    UPDATE signals AS sent SET taken_at = now(), key_execution_id = $2, step_name = $3, item = $4, round = $5
    FROM next WHERE sent.thread_id = $1 AND sent.place = next.place
)
UPDATE waits AS gate
SET answer = next.value, answer_sha256 = next.value_sha256, answered_by = next.sent_by, answered_at = now(), via = 'signal'
FROM next
WHERE {key}
RETURNING gate.thread_id;

-- waits_for --
-- The wait of a thread that has waited longest for a signal of the name $2.
SELECT gate.thread_id, gate.key_execution_id, gate.step_name, gate.item, gate.round
FROM waits AS gate JOIN threads AS thread USING (thread_id)
WHERE gate.thread_id = $1 AND gate.signal = $2 AND gate.answered_at IS NULL AND {waits}
ORDER BY gate.opened_at, gate.step_name, gate.item, gate.round
LIMIT 1;

-- send --
-- $2: the name, $3: the value, $4: its digest, $5: who sends it, $6: its Idempotency-Key, $7: what that stands for.
INSERT INTO signals AS sent (thread_id, place, name, value, value_sha256, sent_by, at_seq, idempotency_key, request_sha256)
SELECT $1, coalesce((SELECT max(place) FROM signals WHERE thread_id = $1), 0) + 1, $2, $3, $4, $5, last_seq, $6, $7
FROM threads WHERE thread_id = $1
RETURNING place;

-- signal --
SELECT * FROM signals WHERE thread_id = $1 AND place = $2;

-- signal_of_key --
SELECT * FROM signals WHERE thread_id = $1 AND idempotency_key = $2;

-- pending --
-- Whether there are $2 already that nobody has taken.
SELECT count(*) >= $2 FROM (SELECT FROM signals WHERE thread_id = $1 AND taken_at IS NULL LIMIT $2) AS found;

-- signals --
-- $1: how many, $2: the length from which a value is told by a preview, $3: that one's.
SELECT thread_id, place, name, value_sha256, sent_by, sent_at, at_seq, idempotency_key, request_sha256, taken_at,
    key_execution_id, step_name, item, round,
    CASE WHEN length(value::text) > $2 THEN json_build_object(
        'truncated', true, 'size_bytes', octet_length(value::text), 'preview', left(value::text, $3)
    ) ELSE value END AS value
FROM signals AS sent WHERE true /* filters */
ORDER BY sent.place LIMIT $1;

-- births --
SELECT execution_id, seq FROM workflow_events WHERE thread_id = $1 AND name = 'workflow_start' ORDER BY seq;

-- be_quick --
-- A thread whose row somebody holds must not hold up all that others wait for.
SELECT set_config('lock_timeout', '300ms', true);

-- take --
-- $6: the answer, $7: its digest, $8: who said it, $9: by which way, $10: what tells the message from others, $11: an error.
UPDATE waits AS gate
SET answer = $6, answer_sha256 = $7, answered_by = $8, answered_at = now(), via = $9, message_sha256 = $10, error = $11
FROM threads AS thread
WHERE {key} AND gate.answered_at IS NULL AND gate.topic IS NOT NULL AND thread.thread_id = gate.thread_id AND {waits}
    AND NOT EXISTS (SELECT FROM waits AS other WHERE other.thread_id = gate.thread_id AND other.message_sha256 = $10)
RETURNING gate.thread_id;

-- hold --
-- The rows of these threads, but for those that somebody holds.
SELECT thread_id FROM threads WHERE thread_id = ANY ($1::text[]) ORDER BY thread_id FOR UPDATE SKIP LOCKED;

-- give --
-- As take, had and wake, of many threads, whose rows are held: a statement of its own sees what was committed before they were.
-- $1 to $5: the waits, $6: which of what is said each is offered; $7 to $12: that, with the fields of take; $13: the wish.
WITH offered AS (
    SELECT * FROM unnest($1::text[], $2::uuid[], $3::text[], $4::int[], $5::int[], $6::int[])
        AS one (thread_id, key_execution_id, step_name, item, round, number)
    JOIN unnest($7::text[], $8::bytea[], $9::text[], $10::text[], $11::bytea[], $12::text[]) WITH ORDINALITY
        AS said (answer, answer_sha256, said_by, via, digest, error, number) USING (number)
), taken AS (
    UPDATE waits AS gate
    SET answer = offered.answer::json, answer_sha256 = offered.answer_sha256, answered_by = offered.said_by, answered_at = now(),
        via = offered.via, message_sha256 = offered.digest, error = offered.error::json
    FROM offered JOIN threads AS thread USING (thread_id)
    WHERE gate.thread_id = offered.thread_id AND gate.key_execution_id = offered.key_execution_id
        AND gate.step_name = offered.step_name AND gate.item = offered.item AND gate.round = offered.round
        AND gate.answered_at IS NULL AND gate.topic IS NOT NULL AND {waits}
        AND NOT EXISTS (SELECT FROM waits AS other WHERE other.thread_id = gate.thread_id AND other.message_sha256 = offered.digest)
    RETURNING gate.thread_id
), thread AS (
    UPDATE threads SET {woken}
    FROM (SELECT taken.thread_id AS taken_id, $13::text AS wish FROM taken) AS wanted
    WHERE thread_id = wanted.taken_id
    RETURNING threads.*
)
SELECT offered.thread_id AS offered_to, thread.*,
    EXISTS (SELECT FROM waits WHERE waits.thread_id = offered.thread_id AND waits.message_sha256 = offered.digest) AS had
FROM offered LEFT JOIN thread ON thread.thread_id = offered.thread_id;

-- had --
SELECT message_sha256 FROM waits WHERE thread_id = $1 AND message_sha256 = ANY ($2::bytea[]);

-- looked --
-- $6: the transaction up to which the log was searched for what the step run $7 waits for, NULL: it is to be searched anew.
-- Where something was missed it is not written, and that is met.
UPDATE waits AS gate SET looked = CASE WHEN missed AND $6::bigint IS NOT NULL THEN NULL ELSE $6 END, missed = false
WHERE {key} AND gate.run_id = $7 AND gate.answered_at IS NULL
RETURNING looked;

-- missed --
UPDATE waits AS gate SET missed = true
WHERE {key} AND gate.run_id = $6 AND gate.answered_at IS NULL AND gate.looked IS NULL
RETURNING gate.thread_id;

-- rest --
-- One that nobody waits for any more; $6: the step run that did when that was seen.
UPDATE waits AS gate SET idle = true
FROM threads AS thread
WHERE {key} AND gate.run_id = $6 AND gate.answered_at IS NULL AND thread.thread_id = gate.thread_id AND NOT ({waits});

-- behind --
-- $1: since how many seconds, $2: how many.
SELECT gate.*, {began}, {waits} AS waits
FROM waits AS gate JOIN threads AS thread USING (thread_id)
WHERE gate.answered_at IS NULL AND NOT gate.idle AND gate.topic IS NOT NULL AND gate.looked IS NULL
    AND gate.opened_at < now() - make_interval(secs => $1)
ORDER BY gate.opened_at LIMIT $2;

-- heads --
-- Each once from $2 on, by one look into the index waits_heads for each, however many waits there are.
WITH RECURSIVE found AS (
    (SELECT head FROM waits WHERE answered_at IS NULL AND NOT idle AND head >= $2::text ORDER BY head LIMIT 1)
    UNION ALL
    SELECT (
        SELECT next.head FROM waits AS next
        WHERE next.answered_at IS NULL AND NOT next.idle AND next.head > found.head ORDER BY next.head LIMIT 1
    )
    FROM found WHERE found.head IS NOT NULL
)
SELECT head FROM found WHERE head IS NOT NULL LIMIT $1;

-- patterns --
-- Those that open waits are for and that begin with one of the words $1, each once: however many other patterns there are.
SELECT found.topic FROM unnest($1::text[]) AS asked (stem) CROSS JOIN LATERAL (
    WITH RECURSIVE found AS (
        (SELECT topic FROM waits WHERE answered_at IS NULL AND NOT idle AND stem = asked.stem ORDER BY topic LIMIT 1)
        UNION ALL
        SELECT (
            SELECT next.topic FROM waits AS next
            WHERE next.answered_at IS NULL AND NOT next.idle AND next.stem = asked.stem AND next.topic > found.topic
            ORDER BY next.topic LIMIT 1
        )
        FROM found WHERE found.topic IS NOT NULL
    )
    SELECT topic FROM found WHERE topic IS NOT NULL
) AS found;

-- wanted --
-- Which of the topics $1 open waits are for.
SELECT asked.topic FROM unnest($1::text[]) AS asked (topic)
WHERE EXISTS (SELECT FROM waits WHERE topic = asked.topic AND answered_at IS NULL AND NOT idle);

-- open_for --
-- $1: the topic or pattern, $2: how many, $3 to $8: after this one.
SELECT gate.*, {began}, {waits} AS waits
FROM waits AS gate JOIN threads AS thread USING (thread_id)
WHERE gate.topic = $1 AND gate.answered_at IS NULL AND NOT gate.idle AND (
    (gate.thread_id, gate.opened_at, gate.key_execution_id, gate.step_name, gate.item, gate.round)
    > ($3::text, $4::timestamptz, $5::uuid, $6::text, $7::int, $8::int)
)
ORDER BY gate.thread_id, gate.opened_at, gate.key_execution_id, gate.step_name, gate.item, gate.round
LIMIT $2;

-- part shown --
gate.thread_id, gate.key_execution_id, gate.step_name, gate.item, gate.round, gate.run_id, gate.topic, gate.signal, gate.match,
    NULL::json AS given, gate.begin_seq, gate.looked, gate.message_sha256, gate.error, 0::bigint AS began, gate.answered_at IS NULL AND {waits} AS waits,
    gate.opened_at, gate.timeout_at, gate.answer_sha256, gate.answered_by, gate.answered_at, gate.via,
    CASE WHEN length(gate.answer::text) > $2 THEN json_build_object(
        'truncated', true, 'size_bytes', octet_length(gate.answer::text), 'preview', left(gate.answer::text, $3)
    ) ELSE gate.answer END AS answer
FROM waits AS gate
CROSS JOIN LATERAL ( -- from the newest wait on, not from all threads: OFFSET keeps the planner from turning it round
    SELECT * FROM threads WHERE threads.thread_id = gate.thread_id OFFSET 0
) AS thread

-- part newest --
ORDER BY gate.opened_at DESC, gate.thread_id DESC, gate.key_execution_id DESC, gate.step_name DESC, gate.item DESC, gate.round DESC
LIMIT $1

-- listed --
-- $1: how many, $2: the length from which a value is told by a preview, $3: that one's.
SELECT {shown} WHERE true /* filters */ {newest};

-- listed_open --
-- IS NOT FALSE keeps it a filter: as a join it would begin with all step runs.
SELECT {shown} WHERE gate.answered_at IS NULL AND NOT gate.idle AND ({waits}) IS NOT FALSE /* filters */ {newest};

-- listed_closed --
SELECT {shown} WHERE (gate.answered_at IS NOT NULL OR gate.idle OR NOT ({waits})) IS NOT FALSE /* filters */ {newest};
