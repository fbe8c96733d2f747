"""Schedules, and what became of each firing.

Revision ID: 0020
Revises: 0019
"""

from alembic import op

revision = "0020"
down_revision = "0019"

UP = """
CREATE TABLE schedules (
    id uuid PRIMARY KEY,
    tenant text NOT NULL DEFAULT 'default',
    name text NOT NULL,
    plan json NOT NULL,
    workflow text NOT NULL,
    paused boolean NOT NULL DEFAULT false,
    pause_reason text,
    revision int NOT NULL DEFAULT 1,
    rev bigint NOT NULL DEFAULT 0,
    since timestamptz NOT NULL,
    next_fire_at timestamptz,
    next_due_at timestamptz,
    last_fire_at timestamptz,
    fired int NOT NULL DEFAULT 0,
    look_at timestamptz,
    owner uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant, name)
) WITH (fillfactor = 70);
COMMENT ON COLUMN schedules.look_at IS 'when a process is to look at it; while one does, when another may';
CREATE INDEX schedules_look ON schedules (look_at) WHERE look_at IS NOT NULL;
CREATE INDEX schedules_owner ON schedules (owner) WHERE owner IS NOT NULL;
CREATE TABLE schedule_firings (
    schedule_id uuid NOT NULL,
    fire_time timestamptz NOT NULL,
    kind text NOT NULL,
    outcome text NOT NULL,
    due_at timestamptz NOT NULL,
    decided_at timestamptz NOT NULL,
    overlap text,
    reason text,
    error json,
    attempts int NOT NULL DEFAULT 0,
    missed int,
    until timestamptz,
    started_at timestamptz,
    thread text NOT NULL,
    watched boolean NOT NULL DEFAULT false,
    open boolean NOT NULL GENERATED ALWAYS AS (watched OR outcome IN ('starting', 'buffered')) STORED,
    PRIMARY KEY (schedule_id, fire_time)
);
COMMENT ON COLUMN schedule_firings.thread IS 'the thread that it starts, or would: it is derived from the key';
CREATE INDEX schedule_firings_open ON schedule_firings (schedule_id, fire_time) WHERE open;
CREATE INDEX schedule_firings_decided ON schedule_firings (decided_at)
"""
DOWN = """
DROP TABLE schedule_firings;
DROP TABLE schedules
"""


def upgrade() -> None:
    for statement in UP.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN.split(";\n"):
        op.execute(statement)
