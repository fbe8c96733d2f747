"""The tables of threads, their executions, step runs, checkpoints and events.

Truth columns are `json`, the exact text.  No foreign keys on thread-owned tables: the journal writes them together in one
statement, and each key begins with thread_id so that a sharded PostgreSQL can hold a thread in one place.

Revision ID: 0001
Revises:
"""

from alembic import op

revision = "0001"
down_revision = None

TABLES = """
CREATE TABLE workflows (
    id uuid PRIMARY KEY,
    tenant text NOT NULL DEFAULT 'default',
    name text NOT NULL,
    version int,
    hash text NOT NULL,
    document json NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant, hash),
    UNIQUE (tenant, name, version)
);

CREATE TABLE incarnations (
    id uuid PRIMARY KEY,
    host text NOT NULL,
    process text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    heartbeat_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE threads (
    thread_id text PRIMARY KEY,
    tenant text NOT NULL DEFAULT 'default',
    definition_id uuid NOT NULL,
    execution_id uuid NOT NULL,
    status text NOT NULL,
    epoch int NOT NULL,
    rev bigint NOT NULL,
    incarnation_id uuid,
    head_version int NOT NULL,
    last_version int NOT NULL,
    last_seq bigint NOT NULL,
    wake_at timestamptz,
    signal text,
    parent_thread_id text,
    parent_run_id uuid,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX threads_due ON threads (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX threads_driven ON threads (incarnation_id) WHERE incarnation_id IS NOT NULL;
CREATE INDEX threads_children ON threads (parent_thread_id) WHERE parent_thread_id IS NOT NULL;

CREATE TABLE workflow_executions (
    thread_id text NOT NULL,
    id uuid NOT NULL,
    tenant text NOT NULL DEFAULT 'default',
    workflow_id uuid,
    workflow_name text NOT NULL,
    workflow_version int,
    kind text NOT NULL,
    status text NOT NULL,
    input json,
    input_sha256 bytea,
    parameters json,
    output json,
    context json,
    error json,
    triggered_by text,
    external_run_id text,
    created_at timestamptz NOT NULL,
    started_at timestamptz,
    completed_at timestamptz,
    PRIMARY KEY (thread_id, id)
) WITH (fillfactor = 70);

CREATE UNIQUE INDEX workflow_executions_id ON workflow_executions (id);
CREATE INDEX workflow_executions_status ON workflow_executions (status, created_at DESC, id DESC);
CREATE INDEX workflow_executions_created ON workflow_executions (created_at DESC, id DESC);
CREATE INDEX workflow_executions_started ON workflow_executions (started_at DESC);

CREATE TABLE workflow_steps (
    thread_id text NOT NULL,
    id uuid NOT NULL,
    execution_id uuid NOT NULL,
    key_execution_id uuid NOT NULL,
    step_name text NOT NULL,
    step_index int NOT NULL,
    status text NOT NULL,
    agent text,
    attempt int NOT NULL DEFAULT 1,
    retry_count int NOT NULL DEFAULT 0,
    input json,
    output json,
    output_sha256 bytea,
    error json,
    session_id text,
    started_at timestamptz,
    completed_at timestamptz,
    duration_ms bigint,
    next_attempt_at timestamptz,
    PRIMARY KEY (thread_id, id)
) WITH (fillfactor = 100);

CREATE INDEX workflow_steps_execution ON workflow_steps (execution_id);

CREATE TABLE checkpoints (
    thread_id text NOT NULL,
    version int NOT NULL,
    parent_version int,
    base_version int NOT NULL,
    execution_id uuid NOT NULL,
    step_name text NOT NULL,
    trigger text NOT NULL,
    format smallint NOT NULL DEFAULT 1,
    manifest json NOT NULL,
    sha256 bytea NOT NULL,
    size_bytes bigint NOT NULL,
    progress double precision NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (thread_id, version)
);

CREATE TABLE workflow_events (
    thread_id text NOT NULL,
    seq bigint NOT NULL,
    execution_id uuid NOT NULL,
    name text NOT NULL,
    step_name text,
    run_id uuid,
    attempt int,
    version int NOT NULL,
    at timestamptz NOT NULL,
    data json NOT NULL,
    xact bigint NOT NULL,
    PRIMARY KEY (thread_id, seq)
);

CREATE INDEX workflow_events_xact ON workflow_events USING brin (xact) WITH (pages_per_range = 16, autosummarize = on);

CREATE TABLE idempotency_keys (
    tenant text NOT NULL DEFAULT 'default',
    key text NOT NULL,
    request_sha256 bytea NOT NULL,
    thread_id text NOT NULL,
    execution_id uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, key)
)
"""

TYPES = """
CREATE TYPE journal_start AS (
    ord int, thread_id text, tenant text, definition_id uuid, execution_id uuid, status text, epoch int,
    incarnation_id uuid, wake_at timestamptz, parent_thread_id text, parent_run_id uuid, at timestamptz,
    idempotency_key text, request_sha256 bytea
);
CREATE TYPE journal_move AS (
    ord int, thread_id text, epoch int, rev bigint, new_epoch int, incarnation_id uuid, execution_id uuid, status text,
    head_version int, last_version int, last_seq bigint, wake_at timestamptz, clear_signal bool, at timestamptz,
    wake_thread_id text
);
CREATE TYPE journal_execution AS (
    ord int, thread_id text, id uuid, tenant text, workflow_id uuid, workflow_name text, workflow_version int, kind text,
    status text, input json, input_sha256 bytea, parameters json, triggered_by text, external_run_id text,
    created_at timestamptz, started_at timestamptz, completed_at timestamptz, output json
);
CREATE TYPE journal_execution_change AS (
    ord int, thread_id text, id uuid, status text, started_at timestamptz, completed_at timestamptz, output json,
    context json, error json
);
CREATE TYPE journal_step AS (
    ord int, thread_id text, id uuid, execution_id uuid, key_execution_id uuid, step_name text, step_index int,
    status text, agent text, attempt int, input json, output json, output_sha256 bytea, error json,
    started_at timestamptz, completed_at timestamptz, duration_ms bigint
);
CREATE TYPE journal_step_change AS (
    ord int, thread_id text, id uuid, status text, attempt int, retry_count int, output json, output_sha256 bytea,
    error json, session_id text, completed_at timestamptz, duration_ms bigint, next_attempt_at timestamptz
);
CREATE TYPE journal_checkpoint AS (
    ord int, thread_id text, version int, parent_version int, base_version int, execution_id uuid, step_name text,
    trigger text, manifest json, sha256 bytea, size_bytes bigint, progress double precision, created_at timestamptz
);
CREATE TYPE journal_event AS (
    ord int, thread_id text, seq bigint, execution_id uuid, name text, step_name text, run_id uuid, attempt int,
    version int, at timestamptz, data json
)
"""
"""The rows of one flush of the journal, an array of each a parameter.  A later form of a row gets a type of its own, so
that processes of two releases can write side by side while one replaces the other."""


def upgrade() -> None:
    for statement in (TABLES + ";\n" + TYPES).split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    for table in ("idempotency_keys", "workflow_events", "checkpoints", "workflow_steps", "workflow_executions"):
        op.execute(f"DROP TABLE {table}")
    for table in ("threads", "incarnations", "workflows"):
        op.execute(f"DROP TABLE {table}")
    for kind in ("start", "move", "execution", "execution_change", "step", "step_change", "checkpoint", "event"):
        op.execute(f"DROP TYPE journal_{kind}")
