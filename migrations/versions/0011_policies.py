"""Policies: hidden versions in the view, retention with its runs, settings changed over the API.

Revision ID: 0011
Revises: 0010
"""

from alembic import op

revision = "0011"
down_revision = "0010"

UP = [
    """
CREATE OR REPLACE VIEW workflow_states AS
SELECT c.thread_id AS workflow_id, c.version,
    jsonb_build_object(
        'currentStep', c.step_name,
        'status', CASE c.step_name WHEN 'END' THEN 'completed' ELSE 'running' END,
        'progress', c.progress,
        'executionId', c.execution_id,
        'contextKeys', backstitch_names(c.thread_id, c.version, 'context'),
        'metadata', jsonb_build_object(
            'completedSteps', backstitch_names(c.thread_id, c.version, 'steps', '{completed,skipped}')
        )
    ) AS state,
    c.created_at, c.thread_id, c.execution_id, c.hidden
FROM checkpoints AS c
""",
    "CREATE INDEX idempotency_keys_thread ON idempotency_keys (thread_id)",
    "ALTER TABLE workflows ADD COLUMN used_at timestamptz NOT NULL DEFAULT now()",
    """
CREATE TABLE retention_policies (
    tenant text NOT NULL DEFAULT 'default',
    workflow text NOT NULL,
    keep boolean NOT NULL DEFAULT false,
    days double precision CHECK (days > 0),
    status_days json NOT NULL DEFAULT '{}',
    max_threads int CHECK (max_threads >= 0),
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, workflow)
)
""",
    """
CREATE TABLE retention_runs (
    id uuid PRIMARY KEY,
    started_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    asked json NOT NULL,
    scanned bigint NOT NULL DEFAULT 0,
    threads bigint NOT NULL DEFAULT 0,
    rows bigint NOT NULL DEFAULT 0,
    bytes bigint NOT NULL DEFAULT 0,
    reasons json NOT NULL DEFAULT '{}',
    workflows json NOT NULL DEFAULT '{}',
    definitions bigint NOT NULL DEFAULT 0,
    agent_events bigint NOT NULL DEFAULT 0,
    error text
)
""",
    "CREATE INDEX retention_runs_started ON retention_runs (started_at DESC)",
    """
CREATE TABLE chores (
    name text PRIMARY KEY,
    owner uuid,
    held_until timestamptz NOT NULL DEFAULT '-infinity',
    ran_at timestamptz NOT NULL DEFAULT '-infinity'
)
""",
    "INSERT INTO chores (name) VALUES ('retention')",
    """
CREATE TABLE config_overrides (
    tenant text NOT NULL DEFAULT 'default',
    name text NOT NULL,
    value json NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now(),
    changed_by text,
    PRIMARY KEY (tenant, name)
)
""",
    """
CREATE TABLE config_changes (
    id uuid PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    name text NOT NULL,
    old json,
    new json,
    source text NOT NULL,
    changed_by text
)
""",
    "CREATE INDEX config_changes_at ON config_changes (at DESC, id DESC)",
]

DOWN = [
    "DROP TABLE config_changes",
    "DROP TABLE config_overrides",
    "DROP TABLE chores",
    "DROP TABLE retention_runs",
    "DROP TABLE retention_policies",
    "ALTER TABLE workflows DROP COLUMN used_at",
    "DROP INDEX idempotency_keys_thread",
    "DROP VIEW workflow_states",
    """
CREATE VIEW workflow_states AS
SELECT c.thread_id AS workflow_id, c.version,
    jsonb_build_object(
        'currentStep', c.step_name,
        'status', CASE c.step_name WHEN 'END' THEN 'completed' ELSE 'running' END,
        'progress', c.progress,
        'executionId', c.execution_id,
        'contextKeys', backstitch_names(c.thread_id, c.version, 'context'),
        'metadata', jsonb_build_object(
            'completedSteps', backstitch_names(c.thread_id, c.version, 'steps', '{completed,skipped}')
        )
    ) AS state,
    c.created_at, c.thread_id, c.execution_id
FROM checkpoints AS c
""",
    "COMMENT ON VIEW workflow_states IS 'one row a checkpoint version, with a light state; backstitch_state() gives the whole'",
    "COMMENT ON COLUMN workflow_states.workflow_id IS 'the thread id: the running instance, not its definition'",
]


def upgrade() -> None:
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN:
        op.execute(statement)
