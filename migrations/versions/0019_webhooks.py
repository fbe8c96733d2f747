"""Webhooks: endpoints, those that starts bring, what is to be delivered and what came of it.

Revision ID: 0019
Revises: 0018
"""

from alembic import op

revision = "0019"
down_revision = "0018"

UP = """
CREATE TABLE webhooks (
    id uuid PRIMARY KEY,
    tenant text NOT NULL DEFAULT 'default',
    url text NOT NULL,
    topics text[] NOT NULL,
    workflows text[] NOT NULL DEFAULT '{}',
    headers json NOT NULL DEFAULT '{}',
    secret text NOT NULL,
    old_secret text,
    old_secret_until timestamptz,
    description text,
    enabled boolean NOT NULL DEFAULT true,
    disabled_reason text,
    enabled_at timestamptz,
    failing_since timestamptz,
    failed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz
);
CREATE TABLE thread_webhooks (
    thread_id text NOT NULL,
    from_seq bigint NOT NULL,
    id uuid NOT NULL,
    url text NOT NULL,
    events text[] NOT NULL,
    headers json NOT NULL DEFAULT '{}',
    secret text,
    gone_at timestamptz,
    PRIMARY KEY (thread_id, from_seq)
);
CREATE INDEX thread_webhooks_events ON thread_webhooks (events);
CREATE TABLE webhook_deliveries (
    id uuid PRIMARY KEY,
    endpoint_id uuid NOT NULL,
    thread_id text,
    lane text NOT NULL,
    seq bigint NOT NULL,
    target text NOT NULL,
    message_id text NOT NULL,
    topic text NOT NULL,
    body text NOT NULL,
    status text NOT NULL DEFAULT 'pending',
    attempts int NOT NULL DEFAULT 0,
    tries json[] NOT NULL DEFAULT '{}',
    at timestamptz NOT NULL,
    queued_at timestamptz NOT NULL DEFAULT now(),
    next_attempt_at timestamptz,
    ended_at timestamptz
);
CREATE INDEX webhook_deliveries_pending ON webhook_deliveries (endpoint_id, lane, seq) INCLUDE (at) WHERE status = 'pending';
CREATE INDEX webhook_deliveries_failed ON webhook_deliveries (endpoint_id, at, id) WHERE status = 'failed';
CREATE INDEX webhook_deliveries_listed ON webhook_deliveries (endpoint_id, at DESC, seq DESC, id DESC);
CREATE INDEX webhook_deliveries_thread ON webhook_deliveries (thread_id, at DESC, seq DESC, id DESC)
    WHERE thread_id IS NOT NULL;
CREATE INDEX webhook_deliveries_ended ON webhook_deliveries (ended_at) WHERE ended_at IS NOT NULL;
CREATE TABLE webhook_lanes (
    lane text NOT NULL,
    endpoint_id uuid NOT NULL,
    target text NOT NULL,
    due_at timestamptz,
    holder uuid,
    news bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (lane, endpoint_id)
);
CREATE INDEX webhook_lanes_due ON webhook_lanes (target, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX webhook_lanes_held ON webhook_lanes (holder) WHERE holder IS NOT NULL;
CREATE INDEX webhook_lanes_idle ON webhook_lanes (lane) WHERE due_at IS NULL;
CREATE TYPE journal_webhook AS (
    ord int,
    thread_id text,
    from_seq bigint,
    id uuid,
    url text,
    events text[],
    headers json,
    secret text
)
"""
DOWN = """
DROP TYPE journal_webhook;
DROP TABLE webhook_lanes;
DROP TABLE webhook_deliveries;
DROP TABLE thread_webhooks;
DROP TABLE webhooks
"""


def upgrade() -> None:
    for statement in UP.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN.split(";\n"):
        op.execute(statement)
