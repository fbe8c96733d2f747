"""Time series of agents and workflows, in place of the minutes of agents alone.

Each process writes rows of its own; `writer` of rolled-up rows is the nil UUID.  A histogram is a number in whose decimal
digits each bucket has twelve, so that sum() adds histograms up as it adds numbers, 20 times as fast as arrays.
metric_buckets() and metric_percentile() read it.

Processes of the release before that go on beside it count no attempts of agents any more, and say so in their logs, until
they are replaced.

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
    histogram numeric NOT NULL DEFAULT 0,
    error json,
    error_at timestamptz,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, kind, name, resolution, at, writer)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05)
""",
    """
CREATE FUNCTION metric_buckets(histogram numeric) RETURNS bigint[] LANGUAGE sql IMMUTABLE STRICT
BEGIN ATOMIC
    SELECT array_agg(substr(digits, length(digits) - 12 * place - 11, 12)::bigint ORDER BY place)
    FROM (SELECT lpad(histogram::text, (length(histogram::text) + 11) / 12 * 12, '0') AS digits) AS whole
        CROSS JOIN generate_series(0, length(digits) / 12 - 1) AS place;
END
""",
    """
CREATE FUNCTION metric_percentile(histogram numeric, share double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT
BEGIN ATOMIC
    SELECT CASE min(place) WHEN 1 THEN 0.5 ELSE 2 ^ ((min(place) - 1.5) / 4) END
    FROM (
        SELECT place, counted, sum(counted) OVER (ORDER BY place) AS so_far, sum(counted) OVER () AS counted_in_all
        FROM unnest(metric_buckets(histogram)) WITH ORDINALITY AS each (counted, place)
    ) AS places
    WHERE counted > 0 AND so_far >= share * counted_in_all;
END
""",
    """
CREATE FUNCTION metric_histogram(buckets bigint[]) RETURNS numeric LANGUAGE sql IMMUTABLE STRICT
BEGIN ATOMIC
    SELECT coalesce(string_agg(lpad(counted::text, 12, '0'), '' ORDER BY place DESC), '0')::numeric
    FROM unnest(buckets) WITH ORDINALITY AS each (counted, place);
END
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
INSERT INTO metrics (tenant, kind, name, resolution, at, count, errors, rejected, sum_ms, histogram, error, error_at)
SELECT tenant, 'agent', agent, 'minute', minute, ok + failed + rejected, failed + rejected, rejected, coalesce((
        SELECT sum(counted * CASE place WHEN 1 THEN 0.5 ELSE 2 ^ ((place - 1.5) / 4) END)
        FROM unnest(buckets) WITH ORDINALITY AS each (counted, place)
    ), 0), metric_histogram(buckets), error, error_at
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
INSERT INTO agent_minutes (tenant, agent, minute, ok, failed, rejected, buckets, error, error_at)
SELECT tenant, name, at, sum(count - errors), sum(errors - rejected), sum(rejected), metric_buckets(sum(histogram)),
    (array_agg(error ORDER BY error_at DESC NULLS LAST))[1], max(error_at)
FROM metrics
WHERE kind = 'agent' AND resolution = 'minute' AND name <> ''
GROUP BY tenant, name, at
""",
    "DROP TABLE metric_rollups",
    "DROP TABLE metrics",
    "DROP FUNCTION metric_percentile(numeric, double precision)",
    "DROP FUNCTION metric_histogram(bigint[])",
    "DROP FUNCTION metric_buckets(numeric)",
]


def upgrade() -> None:
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN:
        op.execute(statement)
