"""Finding the threads that were forked or replayed from a thread.

One index over the executions that say so, which are few: all others are not in it, and writing them costs nothing more.

Revision ID: 0012
Revises: 0011
"""

from alembic import op

revision = "0012"
down_revision = "0011"

UP = """
CREATE FUNCTION execution_origin(parameters json) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    SELECT coalesce(
        backstitch_readable(parameters) -> 'forked_from' ->> 'thread_id',
        backstitch_readable(parameters) -> 'replay_of' ->> 'thread_id');
END;
CREATE INDEX workflow_executions_origin ON workflow_executions (execution_origin(parameters), kind, id)
WHERE kind IN ('fork', 'invoke') AND parameters IS NOT NULL;
"""


def upgrade() -> None:
    function, index = UP.split("END;\n")
    op.execute(function + "END")
    op.execute(index.rstrip().removesuffix(";"))


def downgrade() -> None:
    op.execute("DROP INDEX workflow_executions_origin")
    op.execute("DROP FUNCTION execution_origin(json)")
