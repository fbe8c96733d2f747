"""Agents with their versions, what has happened to them, and how they do, minute by minute.

A person with psql changes an agent by an UPDATE of its current row: a trigger makes that the next version and keeps the one
before, so that a version is always the same content.  Another tells when an agent is disabled or enabled, in the transaction
of its breaker.

Revision ID: 0005
Revises: 0004
"""

from alembic import op

revision = "0005"
down_revision = "0004"

UP = [
    """
CREATE FUNCTION agent_hash(kind text, description text, config json, input json, output json, tags text[]) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT encode(sha256(convert_to(
        json_build_array(kind, description, config, input, output, tags)::text, 'UTF8')), 'hex');
END
""",
    """
CREATE TABLE agents (
    tenant text NOT NULL DEFAULT 'default',
    name text NOT NULL,
    version int NOT NULL,
    current boolean NOT NULL DEFAULT true,
    kind text NOT NULL,
    config json NOT NULL DEFAULT '{}' CHECK (json_typeof(config) = 'object'),
    description text,
    input_schema json CHECK (json_typeof(input_schema) = 'object'),
    output_schema json CHECK (json_typeof(output_schema) = 'object'),
    tags text[] NOT NULL DEFAULT '{}',
    source text NOT NULL DEFAULT 'api' CHECK (source IN ('code', 'file', 'api')),
    origin text,
    hash text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    PRIMARY KEY (tenant, name, version)
)
""",
    "CREATE UNIQUE INDEX agents_current ON agents (tenant, name) WHERE current",
    "CREATE INDEX agents_by_hash ON agents (tenant, name, hash)",
    """
CREATE TABLE agent_events (
    tenant text NOT NULL DEFAULT 'default',
    agent text NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    event text NOT NULL,
    data json NOT NULL DEFAULT '{}',
    PRIMARY KEY (tenant, agent, at, id)
)
""",
    """
CREATE TABLE agent_minutes (
    tenant text NOT NULL DEFAULT 'default',
    agent text NOT NULL,
    minute timestamptz NOT NULL,
    ok bigint NOT NULL DEFAULT 0,
    failed bigint NOT NULL DEFAULT 0,
    rejected bigint NOT NULL DEFAULT 0,
    buckets bigint[] NOT NULL DEFAULT '{}',
    error json,
    error_at timestamptz,
    PRIMARY KEY (tenant, agent, minute)
) WITH (fillfactor = 70)
""",
    "CREATE INDEX agent_minutes_minute ON agent_minutes (minute)",
    """
CREATE FUNCTION agent_buckets(a bigint[], b bigint[]) RETURNS bigint[] LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    SELECT coalesce(array_agg(coalesce(one, 0) + coalesce(other, 0) ORDER BY place), '{}')
    FROM unnest(a, b) WITH ORDINALITY AS pairs (one, other, place);
END
""",
    """
CREATE FUNCTION agents_before() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    NEW.hash := agent_hash(
        NEW.kind, NEW.description, NEW.config, NEW.input_schema, NEW.output_schema, NEW.tags);
    IF TG_OP = 'UPDATE' AND NEW.hash = OLD.hash THEN
        RETURN NEW;
    END IF;
    IF TG_OP = 'UPDATE' AND NOT OLD.current THEN
        RAISE EXCEPTION 'version % of agent % is history: change its current row', OLD.version, OLD.name;
    END IF;
    IF TG_OP = 'UPDATE' OR NEW.version IS NULL THEN
        NEW.version := (SELECT coalesce(max(version), 0) + 1 FROM agents WHERE tenant = NEW.tenant AND name = NEW.name);
    END IF;
    IF TG_OP = 'UPDATE' THEN
        NEW.created_at := clock_timestamp();
    END IF;
    RETURN NEW;
END
$$
""",
    """
CREATE FUNCTION agents_after() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    OLD.current := false;
    INSERT INTO agents SELECT OLD.*;
    INSERT INTO agent_events (tenant, agent, event, data)
    VALUES (NEW.tenant, NEW.name, 'changed', json_build_object('version', NEW.version, 'by', session_user));
    RETURN NULL;
END
$$
""",
    """
CREATE FUNCTION agent_breakers_after() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    was boolean := TG_OP = 'UPDATE' AND OLD.state = 'open' AND OLD.probe_at IS NULL;
    is_now boolean := NEW.state = 'open' AND NEW.probe_at IS NULL;
BEGIN
    IF is_now AND NOT was THEN
        INSERT INTO agent_events (tenant, agent, event, data)
        VALUES (NEW.tenant, NEW.agent, 'disabled', json_build_object('reason', NEW.reason, 'by_hand', NEW.forced));
    ELSIF was AND NOT is_now THEN
        INSERT INTO agent_events (tenant, agent, event) VALUES (NEW.tenant, NEW.agent, 'enabled');
    END IF;
    RETURN NULL;
END
$$
""",
    """
CREATE TRIGGER agent_breakers_after AFTER INSERT OR UPDATE ON agent_breakers
FOR EACH ROW EXECUTE FUNCTION agent_breakers_after()
""",
    """
CREATE TRIGGER agents_before BEFORE INSERT OR UPDATE ON agents
FOR EACH ROW EXECUTE FUNCTION agents_before()
""",
    """
CREATE TRIGGER agents_after AFTER UPDATE ON agents
FOR EACH ROW WHEN (OLD.hash IS DISTINCT FROM NEW.hash) EXECUTE FUNCTION agents_after()
""",
]

DOWN = [
    "DROP TRIGGER agent_breakers_after ON agent_breakers",
    "DROP FUNCTION agent_breakers_after()",
    "DROP TABLE agent_minutes",
    "DROP TABLE agent_events",
    "DROP TABLE agents",
    "DROP FUNCTION agents_after()",
    "DROP FUNCTION agents_before()",
    "DROP FUNCTION agent_buckets(bigint[], bigint[])",
    "DROP FUNCTION agent_hash(text, text, json, json, json, text[])",
]


def upgrade() -> None:
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN:
        op.execute(statement)
