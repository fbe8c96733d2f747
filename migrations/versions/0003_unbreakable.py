"""Queues and priorities, the count of recoveries in a row, circuit breakers of agents, and the quarantine of lost values.

Processes of 0002 must have ended before: they know no threads with these columns, and would claim what they cannot read.

Revision ID: 0003
Revises: 0002
"""

from alembic import op

revision = "0003"
down_revision = "0002"

UP = """
ALTER TABLE threads
    ADD COLUMN queue text NOT NULL DEFAULT 'default',
    ADD COLUMN priority int NOT NULL DEFAULT 0,
    ADD COLUMN recoveries int NOT NULL DEFAULT 0;
DROP INDEX threads_due;
CREATE INDEX threads_due ON threads (queue, priority, wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX threads_running ON threads (queue) WHERE incarnation_id IS NOT NULL AND queue <> 'default';
CREATE TABLE queues (
    name text PRIMARY KEY,
    tenant text NOT NULL DEFAULT 'default',
    max_running int CHECK (max_running >= 0),
    max_depth int CHECK (max_depth >= 0),
    rate_count int CHECK (rate_count > 0),
    rate_seconds double precision CHECK (rate_seconds >= 0.001),
    tokens double precision NOT NULL DEFAULT 0,
    tokens_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((rate_count IS NULL) = (rate_seconds IS NULL))
);
CREATE FUNCTION queue_running(queue_name text) RETURNS int STABLE LANGUAGE sql AS $$
    SELECT CASE -- each count by the index that has nothing else in it
        WHEN queue_name = 'default' THEN
            (SELECT count(*) FROM threads WHERE incarnation_id IS NOT NULL AND queue = 'default')
        ELSE
            (SELECT count(*) FROM threads
             WHERE incarnation_id IS NOT NULL AND queue <> 'default' AND queue = queue_name)
    END::int
$$;
CREATE FUNCTION queue_slots(queue_name text, max_running int, usual int) RETURNS int STABLE LANGUAGE sql AS $$
    SELECT CASE
        WHEN queue_name = 'default' AND max_running IS NULL THEN 2147483647
        ELSE greatest(0, coalesce(max_running, usual) - queue_running(queue_name))
    END
$$;
CREATE FUNCTION queue_tokens(queue queues) RETURNS double precision STABLE LANGUAGE sql AS $$
    SELECT least(queue.rate_count, queue.tokens + queue.rate_count
        * least(1, greatest(0, extract(epoch FROM now() - queue.tokens_at)::float8) / greatest(queue.rate_seconds, 1e-3)))
$$;
CREATE TABLE agent_breakers (
    tenant text NOT NULL DEFAULT 'default',
    agent text NOT NULL,
    state text NOT NULL CHECK (state IN ('closed', 'open', 'half_open')),
    forced boolean NOT NULL DEFAULT false,
    reason text,
    trips int NOT NULL DEFAULT 0,
    rev bigint NOT NULL DEFAULT 1,
    opened_at timestamptz,
    probe_at timestamptz,
    probe_by uuid,
    closed_at timestamptz,
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, agent)
);
CREATE TABLE quarantine (
    thread_id text NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL,
    version int,
    run_id uuid,
    execution_id uuid,
    step_name text,
    problem text NOT NULL,
    expected bytea,
    stored text,
    found_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (thread_id, id)
);
CREATE TYPE journal_start_2 AS (
    ord int, thread_id text, tenant text, definition_id uuid, execution_id uuid, status text, epoch int,
    incarnation_id uuid, wake_at timestamptz, queue text, priority int, parent_thread_id text, parent_run_id uuid,
    at timestamptz, idempotency_key text, request_sha256 bytea
);
CREATE TYPE journal_move_2 AS (
    ord int, thread_id text, epoch int, rev bigint, held_execution_id uuid, new_epoch int, incarnation_id uuid,
    execution_id uuid, status text, head_version int, last_version int, last_seq bigint, wake_at timestamptz,
    recoveries int, clear_signal bool, at timestamptz, wake_thread_id text
)
"""

DOWN = """
DROP TYPE journal_move_2;
DROP TYPE journal_start_2;
DROP TABLE quarantine;
DROP TABLE agent_breakers;
DROP FUNCTION queue_tokens(queues);
DROP FUNCTION queue_slots(text, int, int);
DROP FUNCTION queue_running(text);
DROP TABLE queues;
DROP INDEX threads_running;
DROP INDEX threads_due;
CREATE INDEX threads_due ON threads (wake_at) WHERE wake_at IS NOT NULL;
ALTER TABLE threads DROP COLUMN recoveries, DROP COLUMN priority, DROP COLUMN queue
"""


def upgrade() -> None:
    for statement in UP.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN.split(";\n"):
        op.execute(statement)
