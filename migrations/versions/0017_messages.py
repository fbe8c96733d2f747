"""Messages that are published, triggers, what came of each message for each trigger, and who holds which deduplication key.

Revision ID: 0017
Revises: 0016
"""

from alembic import op

revision = "0017"
down_revision = "0016"

# `xact` and `seq` are a message's place in the log; `size_bytes` is that of its data.
UP = """
CREATE TABLE messages (
    tenant text NOT NULL DEFAULT 'default',
    id text NOT NULL,
    source text NOT NULL,
    topic text NOT NULL,
    type text NOT NULL,
    subject text,
    time timestamptz NOT NULL,
    data json NOT NULL,
    attributes json NOT NULL DEFAULT '{}',
    size_bytes int NOT NULL,
    xact bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
    seq bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, id, source)
);
CREATE INDEX messages_place ON messages (xact, seq) INCLUDE (topic, size_bytes);
CREATE TABLE triggers (
    tenant text NOT NULL DEFAULT 'default',
    name text NOT NULL,
    id uuid NOT NULL UNIQUE,
    topic text NOT NULL,
    workflow text NOT NULL,
    condition text,
    input json NOT NULL,
    key text,
    "window" float8,
    enabled boolean NOT NULL,
    queue text,
    priority int,
    delay float8 NOT NULL DEFAULT 0,
    description text,
    xact bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
    rev bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, name)
);
CREATE TABLE trigger_firings (
    id uuid PRIMARY KEY,
    tenant text NOT NULL DEFAULT 'default',
    trigger_id uuid NOT NULL,
    source text NOT NULL,
    message_id text NOT NULL,
    topic text NOT NULL,
    outcome text NOT NULL,
    error json,
    start json,
    attempts int NOT NULL DEFAULT 0,
    try_at timestamptz,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX trigger_firings_of ON trigger_firings (trigger_id, at DESC, id DESC);
CREATE INDEX trigger_firings_at ON trigger_firings (at);
CREATE INDEX trigger_firings_waiting ON trigger_firings (trigger_id, try_at) WHERE outcome = 'waiting';
CREATE TABLE trigger_keys (
    tenant text NOT NULL DEFAULT 'default',
    trigger_id uuid NOT NULL,
    key text NOT NULL,
    firing_id uuid NOT NULL,
    until timestamptz NOT NULL,
    PRIMARY KEY (trigger_id, key)
);
CREATE INDEX trigger_keys_firing ON trigger_keys (firing_id);
CREATE INDEX trigger_keys_until ON trigger_keys (until)
"""
DOWN = """
DROP TABLE trigger_keys;
DROP TABLE trigger_firings;
DROP TABLE triggers;
DROP TABLE messages
"""


def upgrade() -> None:
    for statement in UP.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN.split(";\n"):
        op.execute(statement)
