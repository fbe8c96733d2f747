"""Log entries, how many bytes of them each minute has, marks of the feed's place in time, and an index for the feed's order.

Old entries are deleted in batches; the counts by minute say how many bytes are left, which the size of the table does not:
it never shrinks.  The index over the feed was one of block ranges, which the rows that come into the place of deleted ones
make useless.

Revision ID: 0010
Revises: 0009
"""

from alembic import op

revision = "0010"
down_revision = "0009"

UP = """
CREATE TABLE agent_logs (
    tenant text NOT NULL DEFAULT 'default',
    at timestamptz NOT NULL,
    id uuid NOT NULL,
    level smallint NOT NULL,
    logger text NOT NULL,
    message text NOT NULL,
    thread_id text,
    execution_id text,
    workflow text,
    step_id text,
    item int,
    attempt int,
    agent text,
    context json,
    process uuid,
    PRIMARY KEY (at, id)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.1);
CREATE INDEX agent_logs_thread ON agent_logs (thread_id, at, id) WHERE thread_id IS NOT NULL;
CREATE INDEX agent_logs_agent ON agent_logs (agent, at, id) WHERE agent IS NOT NULL;
CREATE INDEX agent_logs_warnings ON agent_logs (at, id) WHERE level >= 30;
CREATE TABLE agent_log_minutes (
    minute timestamptz PRIMARY KEY,
    entries bigint NOT NULL,
    bytes bigint NOT NULL
) WITH (fillfactor = 70);
CREATE TABLE event_marks (
    at timestamptz PRIMARY KEY,
    xact bigint NOT NULL
);
DROP INDEX workflow_events_xact;
CREATE INDEX workflow_events_xact ON workflow_events (xact)
"""
DOWN = """
DROP INDEX workflow_events_xact;
CREATE INDEX workflow_events_xact ON workflow_events USING brin (xact) WITH (pages_per_range = 16, autosummarize = on);
DROP TABLE event_marks;
DROP TABLE agent_log_minutes;
DROP TABLE agent_logs
"""


def upgrade() -> None:
    for statement in UP.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN.split(";\n"):
        op.execute(statement)
