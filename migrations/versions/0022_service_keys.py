"""Keys of the service, which all its processes share.

Revision ID: 0022
Revises: 0021
"""

from alembic import op

revision = "0022"
down_revision = "0021"

UP = """
CREATE TABLE service_keys (
    name text PRIMARY KEY,
    tenant text NOT NULL DEFAULT 'default',
    key bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
)
"""
DOWN = "DROP TABLE service_keys"


def upgrade() -> None:
    for statement in UP.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN.split(";\n"):
        op.execute(statement)
