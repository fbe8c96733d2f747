"""Waits of steps for messages and signals, and the signals that threads were sent.

Revision ID: 0018
Revises: 0017
"""

from alembic import op

revision = "0018"
down_revision = "0017"

UP = """
CREATE TABLE waits (
    thread_id text NOT NULL,
    key_execution_id uuid NOT NULL,
    step_name text NOT NULL,
    item int NOT NULL DEFAULT -1,
    round int NOT NULL DEFAULT 0,
    run_id uuid NOT NULL,
    topic text COLLATE "C",
    head text COLLATE "C" GENERATED ALWAYS AS (CASE
        WHEN topic ~ '^[*>]' THEN '>'
        WHEN topic LIKE 'workflow.%.%' AND split_part(topic, '.', 2) <> '*'
            THEN 'workflow.' || split_part(topic, '.', 2) || '.>'
        WHEN topic LIKE '%.%' THEN split_part(topic, '.', 1) || '.>'
        ELSE topic
    END) STORED,
    stem text COLLATE "C" GENERATED ALWAYS AS (
        CASE WHEN topic ~ '[*>]' THEN regexp_replace(topic, '[.]?[*>].*$', '') END
    ) STORED,
    signal text,
    match text,
    given json,
    begin_seq bigint NOT NULL DEFAULT 1,
    since bigint,
    looked bigint,
    missed boolean NOT NULL DEFAULT false,
    idle boolean NOT NULL DEFAULT false,
    opened_at timestamptz NOT NULL DEFAULT now(),
    timeout_at timestamptz,
    answer json,
    answer_sha256 bytea,
    answered_by text,
    answered_at timestamptz,
    via text,
    message_sha256 bytea,
    error json,
    PRIMARY KEY (thread_id, key_execution_id, step_name, item, round)
);
CREATE INDEX waits_open ON waits (opened_at, thread_id, key_execution_id, step_name, item, round)
    WHERE answered_at IS NULL AND NOT idle;
CREATE UNIQUE INDEX waits_taken ON waits (thread_id, message_sha256) WHERE message_sha256 IS NOT NULL;
CREATE INDEX waits_listed ON waits (opened_at, thread_id, key_execution_id, step_name, item, round);
CREATE INDEX waits_topics ON waits (topic, thread_id, opened_at, key_execution_id, step_name, item, round)
    WHERE answered_at IS NULL AND NOT idle AND topic IS NOT NULL;
CREATE INDEX waits_patterns ON waits (stem, topic) WHERE answered_at IS NULL AND NOT idle AND stem IS NOT NULL;
CREATE INDEX waits_heads ON waits (head) WHERE answered_at IS NULL AND NOT idle AND head IS NOT NULL;
CREATE INDEX waits_behind ON waits (opened_at)
    WHERE answered_at IS NULL AND NOT idle AND topic IS NOT NULL AND looked IS NULL;
CREATE INDEX waits_signals ON waits (thread_id, signal) WHERE answered_at IS NULL AND signal IS NOT NULL;
CREATE TABLE signals (
    thread_id text NOT NULL,
    place bigint NOT NULL,
    name text NOT NULL,
    value json NOT NULL,
    value_sha256 bytea NOT NULL,
    sent_by text,
    sent_at timestamptz NOT NULL DEFAULT now(),
    at_seq bigint NOT NULL,
    idempotency_key text,
    request_sha256 bytea,
    taken_at timestamptz,
    key_execution_id uuid,
    step_name text,
    item int,
    round int,
    PRIMARY KEY (thread_id, place)
);
CREATE INDEX signals_pending ON signals (thread_id, name, place) WHERE taken_at IS NULL;
CREATE UNIQUE INDEX signals_keys ON signals (thread_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX workflow_events_waits ON workflow_events (thread_id, run_id) WHERE name IN ('message_waiting', 'message_received');
CREATE INDEX workflow_events_starts ON workflow_events (thread_id, seq) WHERE name = 'workflow_start'
"""

DOWN = """
DROP INDEX workflow_events_starts;
DROP INDEX workflow_events_waits;
DROP TABLE signals;
DROP TABLE waits
"""


def upgrade() -> None:
    for statement in UP.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN.split(";\n"):
        op.execute(statement)
