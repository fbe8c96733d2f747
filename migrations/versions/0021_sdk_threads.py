"""What clients of LangGraph's SDK keep of their own: threads before their first run, and metadata of threads and runs.

Revision ID: 0021
Revises: 0020
"""

from alembic import op

revision = "0021"
down_revision = "0020"

UP = """
CREATE TABLE sdk_threads (
    thread_id text PRIMARY KEY,
    tenant text NOT NULL DEFAULT 'default',
    metadata jsonb NOT NULL,
    ran boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX sdk_threads_created ON sdk_threads (created_at DESC, thread_id DESC);
CREATE INDEX sdk_threads_metadata ON sdk_threads USING gin (metadata jsonb_path_ops);
CREATE INDEX sdk_threads_empty ON sdk_threads (updated_at) WHERE NOT ran;
CREATE TABLE sdk_runs (
    run_id uuid PRIMARY KEY,
    thread_id text NOT NULL,
    metadata jsonb NOT NULL,
    strategy text,
    hidden boolean NOT NULL DEFAULT false
);
CREATE INDEX sdk_runs_thread ON sdk_runs (thread_id)
"""
DOWN = """
DROP TABLE sdk_runs;
DROP TABLE sdk_threads
"""


def upgrade() -> None:
    for statement in UP.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN.split(";\n"):
        op.execute(statement)
