"""Versions that history does not show, and the format of a version written by whoever writes it.

Processes of 0007 may go on beside it: the versions that they write are shown, and of format 1.

Revision ID: 0008
Revises: 0007
"""

from alembic import op

revision = "0008"
down_revision = "0007"

UP = """
ALTER TABLE checkpoints ADD COLUMN hidden boolean NOT NULL DEFAULT false;
CREATE TYPE journal_checkpoint_2 AS (
    ord int, thread_id text, version int, parent_version int, base_version int, execution_id uuid, step_name text,
    trigger text, manifest json, sha256 bytea, size_bytes bigint, progress double precision, created_at timestamptz,
    hidden boolean, format smallint
)
"""
DOWN = """
DROP TYPE journal_checkpoint_2;
ALTER TABLE checkpoints DROP COLUMN hidden
"""


def upgrade() -> None:
    for statement in UP.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN.split(";\n"):
        op.execute(statement)
