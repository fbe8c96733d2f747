"""Gates: the questions that steps ask of people, and their answers.

Revision ID: 0007
Revises: 0006
"""

from alembic import op

revision = "0007"
down_revision = "0006"

UP = """
CREATE TABLE gates (
    thread_id text NOT NULL,
    key_execution_id uuid NOT NULL,
    step_name text NOT NULL,
    item int NOT NULL DEFAULT -1,
    round int NOT NULL DEFAULT 0,
    run_id uuid NOT NULL,
    title text,
    show json,
    form json,
    assignees text[] NOT NULL DEFAULT '{}',
    opened_at timestamptz NOT NULL DEFAULT now(),
    timeout_at timestamptz,
    answer json,
    answer_sha256 bytea,
    answered_by text,
    answered_at timestamptz,
    via text,
    PRIMARY KEY (thread_id, key_execution_id, step_name, item, round)
);
CREATE INDEX gates_open ON gates (opened_at, thread_id, key_execution_id, step_name, item, round) WHERE answered_at IS NULL;
CREATE INDEX workflow_events_gates ON workflow_events (thread_id, run_id) WHERE name IN ('gate_waiting', 'gate_answered')
"""

DOWN = """
DROP INDEX workflow_events_gates;
DROP TABLE gates
"""


def upgrade() -> None:
    for statement in UP.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN.split(";\n"):
        op.execute(statement)
