"""Items of a step, what attempts remember, usage, agents' versions, variants, and a digest for executions' outputs.

Processes of 0003 may go on beside it: what they write lacks the new columns, which are all optional.

Revision ID: 0004
Revises: 0003
"""

from alembic import op

revision = "0004"
down_revision = "0003"

UP = """
ALTER TABLE workflow_steps
    ADD COLUMN agent_version int,
    ADD COLUMN variant text,
    ADD COLUMN call_sha256 bytea,
    ADD COLUMN input_tokens bigint,
    ADD COLUMN output_tokens bigint,
    ADD COLUMN cost_usd double precision;
CREATE INDEX workflow_steps_spent ON workflow_steps (completed_at) WHERE input_tokens IS NOT NULL;
ALTER TABLE workflow_executions ADD COLUMN output_sha256 bytea;
CREATE TABLE workflow_items (
    thread_id text NOT NULL,
    key_execution_id uuid NOT NULL,
    step_name text NOT NULL,
    item int NOT NULL,
    status text NOT NULL,
    attempt int NOT NULL,
    retry_count int NOT NULL,
    agent text,
    agent_version int,
    output json,
    output_sha256 bytea,
    error json,
    session_id text,
    started_at timestamptz NOT NULL,
    completed_at timestamptz,
    next_attempt_at timestamptz,
    PRIMARY KEY (thread_id, key_execution_id, step_name, item)
);
CREATE TABLE workflow_notes (
    thread_id text NOT NULL,
    key_execution_id uuid NOT NULL,
    step_name text NOT NULL,
    item int NOT NULL,
    place int NOT NULL,
    name text NOT NULL,
    value json NOT NULL,
    sha256 bytea NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (thread_id, key_execution_id, step_name, item, place)
);
CREATE TYPE journal_execution_2 AS (
    ord int, thread_id text, id uuid, tenant text, workflow_id uuid, workflow_name text, workflow_version int, kind text,
    status text, input json, input_sha256 bytea, parameters json, triggered_by text, external_run_id text,
    created_at timestamptz, started_at timestamptz, completed_at timestamptz, output json, output_sha256 bytea
);
CREATE TYPE journal_execution_change_2 AS (
    ord int, thread_id text, id uuid, status text, started_at timestamptz, completed_at timestamptz, output json,
    output_sha256 bytea, context json, error json
);
CREATE TYPE journal_step_2 AS (
    ord int, thread_id text, id uuid, execution_id uuid, key_execution_id uuid, step_name text, step_index int,
    status text, agent text, agent_version int, variant text, call_sha256 bytea, attempt int, input json, output json,
    output_sha256 bytea, error json, started_at timestamptz, completed_at timestamptz, duration_ms bigint,
    input_tokens bigint, output_tokens bigint, cost_usd double precision
);
CREATE TYPE journal_step_change_2 AS (
    ord int, thread_id text, id uuid, status text, attempt int, retry_count int, agent_version int, output json,
    output_sha256 bytea, error json, session_id text, completed_at timestamptz, duration_ms bigint,
    next_attempt_at timestamptz, input_tokens bigint, output_tokens bigint, cost_usd double precision
);
CREATE TYPE journal_item AS (
    ord int, thread_id text, key_execution_id uuid, step_name text, item int, status text, attempt int, retry_count int,
    agent text, agent_version int, output json, output_sha256 bytea, error json, session_id text, started_at timestamptz,
    completed_at timestamptz, next_attempt_at timestamptz
);
CREATE TYPE journal_note AS (
    ord int, thread_id text, key_execution_id uuid, step_name text, item int, place int, name text, value json,
    sha256 bytea, created_at timestamptz
);
CREATE OR REPLACE VIEW workflow_steps_jsonb AS
SELECT id, thread_id, execution_id, step_name, step_index, status, agent, attempt, retry_count,
    backstitch_jsonb(input) AS input, backstitch_jsonb(output) AS output, backstitch_jsonb(error) AS error, session_id,
    started_at, completed_at, duration_ms, next_attempt_at, agent_version, variant, input_tokens, output_tokens, cost_usd
FROM workflow_steps
"""

DOWN = """
DROP VIEW workflow_steps_jsonb;
CREATE VIEW workflow_steps_jsonb AS
SELECT id, thread_id, execution_id, step_name, step_index, status, agent, attempt, retry_count,
    backstitch_jsonb(input) AS input, backstitch_jsonb(output) AS output, backstitch_jsonb(error) AS error, session_id,
    started_at, completed_at, duration_ms, next_attempt_at
FROM workflow_steps;
DROP TYPE journal_note;
DROP TYPE journal_item;
DROP TYPE journal_step_change_2;
DROP TYPE journal_step_2;
DROP TYPE journal_execution_change_2;
DROP TYPE journal_execution_2;
DROP TABLE workflow_notes;
DROP TABLE workflow_items;
ALTER TABLE workflow_executions DROP COLUMN output_sha256;
DROP INDEX workflow_steps_spent;
ALTER TABLE workflow_steps
    DROP COLUMN agent_version, DROP COLUMN variant, DROP COLUMN call_sha256,
    DROP COLUMN input_tokens, DROP COLUMN output_tokens, DROP COLUMN cost_usd
"""


def upgrade() -> None:
    for statement in UP.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN.split(";\n"):
        op.execute(statement)
