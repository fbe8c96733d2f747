"""Indexes for lists of executions by workflow and by who started them.

Revision ID: 0015
Revises: 0012
"""

from alembic import op

revision = "0015"
down_revision = "0012"

UP = """
CREATE INDEX workflow_executions_workflow ON workflow_executions (workflow_name, status, created_at DESC, id DESC);
CREATE INDEX workflow_executions_triggered ON workflow_executions (triggered_by, created_at DESC, id DESC)
    WHERE triggered_by IS NOT NULL
"""
DOWN = """
DROP INDEX workflow_executions_triggered;
DROP INDEX workflow_executions_workflow
"""


def upgrade() -> None:
    for statement in UP.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN.split(";\n"):
        op.execute(statement)
