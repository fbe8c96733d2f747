"""The inner checkpoints of LangGraph graphs: one row a checkpoint, each value of a channel once, the writes of finished nodes.

`run_key` is LangGraph's thread_id: a step run of ours, so all keys begin with the thread that it belongs to.

Revision ID: 0006
Revises: 0005
"""

from alembic import op

revision = "0006"
down_revision = "0005"

UP = """
CREATE TABLE langgraph_runs (
    thread_id text NOT NULL,
    run_key text NOT NULL,
    fence int NOT NULL,
    last_seq int NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (thread_id, run_key)
) WITH (fillfactor = 60);
CREATE TABLE langgraph_checkpoints (
    thread_id text NOT NULL,
    run_key text NOT NULL,
    ns text NOT NULL,
    checkpoint_id text NOT NULL,
    parent_id text,
    seq int NOT NULL,
    run_id text,
    kind text NOT NULL,
    data bytea NOT NULL,
    metadata bytea NOT NULL,
    channels text[] NOT NULL,
    versions text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (thread_id, run_key, ns, checkpoint_id)
);
CREATE INDEX langgraph_checkpoints_newest ON langgraph_checkpoints (thread_id, run_key, ns, seq);
CREATE TABLE langgraph_blobs (
    thread_id text NOT NULL,
    run_key text NOT NULL,
    ns text NOT NULL,
    channel text NOT NULL,
    version text NOT NULL,
    kind text NOT NULL,
    data bytea NOT NULL,
    PRIMARY KEY (thread_id, run_key, ns, channel, version)
);
CREATE TABLE langgraph_writes (
    thread_id text NOT NULL,
    run_key text NOT NULL,
    ns text NOT NULL,
    checkpoint_id text NOT NULL,
    task_id text NOT NULL,
    idx int NOT NULL,
    task_path text NOT NULL,
    channel text NOT NULL,
    kind text NOT NULL,
    data bytea NOT NULL,
    PRIMARY KEY (thread_id, run_key, ns, checkpoint_id, task_id, idx)
)
"""

DOWN = """
DROP TABLE langgraph_writes;
DROP TABLE langgraph_blobs;
DROP TABLE langgraph_checkpoints;
DROP TABLE langgraph_runs
"""


def upgrade() -> None:
    for statement in UP.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN.split(";\n"):
        op.execute(statement)
