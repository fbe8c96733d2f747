"""How far those who follow the events of threads, or messages, have come.

Revision ID: 0016
Revises: 0015
"""

from alembic import op

revision = "0016"
down_revision = "0015"

UP = """
CREATE TABLE followers (
    name text PRIMARY KEY,
    xact bigint NOT NULL,
    thread text NOT NULL DEFAULT '',
    seq bigint NOT NULL DEFAULT 0,
    owner text,
    held_until timestamptz NOT NULL DEFAULT '-infinity',
    updated_at timestamptz NOT NULL DEFAULT now()
)
"""
DOWN = "DROP TABLE followers"


def upgrade() -> None:
    for statement in UP.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN.split(";\n"):
        op.execute(statement)
