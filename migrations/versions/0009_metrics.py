"""Time series of agents and workflows, in place of the minutes of agents alone.

Each process writes rows of its own; `writer` of rolled-up rows is the nil UUID.  Processes of 0008 that go on beside it count
no attempts of agents any more, and say so in their logs, until they are replaced.

Revision ID: 0009
Revises: 0008
"""

from alembic import op

revision = "0009"
down_revision = "0008"

UP = [
    """
CREATE TABLE metrics (
    tenant text NOT NULL DEFAULT 'default',
    kind text NOT NULL CHECK (kind IN ('agent', 'workflow')),
    name text COLLATE "C" NOT NULL,
    resolution text NOT NULL CHECK (resolution IN ('minute', 'hour', 'day')),
    at timestamptz NOT NULL,
    writer uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    count bigint NOT NULL DEFAULT 0,
    errors bigint NOT NULL DEFAULT 0,
    rejected bigint NOT NULL DEFAULT 0,
    retries bigint NOT NULL DEFAULT 0,
    sum_ms double precision NOT NULL DEFAULT 0,
    cost_usd double precision NOT NULL DEFAULT 0,
    input_tokens bigint NOT NULL DEFAULT 0,
    output_tokens bigint NOT NULL DEFAULT 0,
    first_bucket int NOT NULL DEFAULT 0,
    buckets int[] NOT NULL DEFAULT '{}',
    error json,
    error_at timestamptz,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, kind, name, resolution, at, writer)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05)
""",
    "CREATE INDEX metrics_at ON metrics (tenant, resolution, at)",
    """
CREATE TABLE metric_rollups (
    tenant text NOT NULL DEFAULT 'default',
    resolution text NOT NULL,
    rolled_until timestamptz NOT NULL DEFAULT to_timestamp(0),
    rolled_at timestamptz NOT NULL DEFAULT to_timestamp(0),
    PRIMARY KEY (tenant, resolution)
)
""",
    "INSERT INTO metric_rollups (resolution) VALUES ('hour'), ('day')",
    # The durations themselves were not summed: those that stand for their buckets are.
    """
INSERT INTO metrics (tenant, kind, name, resolution, at, count, errors, rejected, sum_ms, buckets, error, error_at)
SELECT tenant, 'agent', agent, 'minute', minute, ok + failed + rejected, failed + rejected, rejected, coalesce((
        SELECT sum(counted * CASE place WHEN 1 THEN 0.5 ELSE 2 ^ ((place - 1.5) / 4) END)
        FROM unnest(buckets) WITH ORDINALITY AS each (counted, place)
    ), 0), buckets::int[], error, error_at
FROM agent_minutes
""",
    "DROP TABLE agent_minutes",
    "DROP FUNCTION agent_buckets(bigint[], bigint[])",
]

DOWN = [
    """
CREATE FUNCTION agent_buckets(a bigint[], b bigint[]) RETURNS bigint[] LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    SELECT coalesce(array_agg(coalesce(one, 0) + coalesce(other, 0) ORDER BY place), '{}')
    FROM unnest(a, b) WITH ORDINALITY AS pairs (one, other, place);
END
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
INSERT INTO agent_minutes AS m (tenant, agent, minute, ok, failed, rejected, buckets, error, error_at)
SELECT tenant, name, at, sum(count - errors), sum(errors - rejected), sum(rejected), coalesce((
        SELECT array_agg(counted ORDER BY place)
        FROM (
            SELECT place, coalesce(sum(one.buckets[place - one.first_bucket]), 0)::bigint AS counted
            FROM metrics AS one CROSS JOIN generate_series(1, max(
                    each.first_bucket + cardinality(each.buckets))) AS place
            WHERE (one.tenant, one.kind, one.name, one.resolution, one.at)
                = (each.tenant, 'agent', each.name, 'minute', each.at)
            GROUP BY place
        ) AS places
    ), '{}'), (array_agg(error ORDER BY error_at DESC NULLS LAST))[1], max(error_at)
FROM metrics AS each
WHERE kind = 'agent' AND resolution = 'minute' AND name <> ''
GROUP BY tenant, name, at
""",
    "DROP TABLE metric_rollups",
    "DROP TABLE metrics",
]


def upgrade() -> None:
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN:
        op.execute(statement)
