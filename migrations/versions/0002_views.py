"""Views and functions for people with psql: the whole state of a version, and the json columns as jsonb.

Bodies are BEGIN ATOMIC: bound to this schema when they are made, whatever search_path their caller has.

Revision ID: 0002
Revises: 0001
"""

from alembic import op

revision = "0002"
down_revision = "0001"

# An escaped NUL that is not the end of an escaped backslash: jsonb and text cannot hold it, U+FFFD stands for it.
NUL = r"""'(?<!\\)((?:\\\\)*)\\u0000', '\1\\ufffd', 'g'"""

FUNCTIONS = [
    rf"""
CREATE FUNCTION backstitch_jsonb(value json) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    RETURN value::jsonb;
EXCEPTION WHEN OTHERS THEN
    BEGIN
        RETURN regexp_replace(value::text, {NUL})::jsonb;
    EXCEPTION WHEN OTHERS THEN
        RETURN to_jsonb(value::text);
    END;
END
$$
""",
    rf"""
CREATE FUNCTION backstitch_readable(value json) RETURNS json LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE WHEN strpos(value::text, '\u0000') = 0 THEN value ELSE regexp_replace(value::text, {NUL})::json END;
END
""",
    """
CREATE FUNCTION backstitch_path(thread text, at_version int)
RETURNS TABLE (rank int, version int, manifest json) LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH RECURSIVE path AS (
        SELECT 0 AS rank, c.version, c.parent_version, c.base_version, c.manifest
        FROM checkpoints AS c
        WHERE c.thread_id = thread AND c.version = at_version
        UNION ALL
        SELECT path.rank - 1, parent.version, parent.parent_version, parent.base_version, parent.manifest
        FROM path
        CROSS JOIN LATERAL (
            SELECT * FROM checkpoints AS c
            WHERE c.thread_id = thread AND c.version = path.parent_version AND c.version < path.version
            LIMIT 1 -- one look into the index a version: a join might read the whole table for each
        ) AS parent
        WHERE path.version <> path.base_version
    )
    SELECT path.rank, path.version, backstitch_readable(path.manifest)
    FROM path
    WHERE EXISTS (SELECT FROM path AS base WHERE base.version = base.base_version);
END
""",
    """
CREATE FUNCTION backstitch_entries(thread text, at_version int, part text)
RETURNS TABLE (place bigint, name text, ref json) LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH written AS (
        SELECT path.rank, item.place, item.name, item.ref
        FROM backstitch_path(thread, at_version) AS path
        CROSS JOIN LATERAL json_each(path.manifest -> part) WITH ORDINALITY AS item (name, ref, place)
    ), marked AS (
        SELECT *, max(written.rank) FILTER (WHERE json_typeof(written.ref) = 'null')
            OVER (PARTITION BY written.name) AS taken_away
        FROM written
    ), kept AS (
        SELECT * FROM marked WHERE marked.taken_away IS NULL OR marked.rank > marked.taken_away
    ), first AS (
        SELECT DISTINCT ON (kept.name) * FROM kept ORDER BY kept.name, kept.rank
    ), last AS (
        SELECT DISTINCT ON (kept.name) * FROM kept ORDER BY kept.name, kept.rank DESC
    )
    SELECT row_number() OVER (ORDER BY first.rank, first.place), first.name, last.ref
    FROM first JOIN last ON last.name = first.name;
END
""",
    """
CREATE FUNCTION backstitch_names(thread text, at_version int, part text, statuses text[] DEFAULT NULL)
RETURNS jsonb LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT COALESCE(jsonb_agg(entry.name ORDER BY entry.place), '[]'::jsonb)
    FROM backstitch_entries(thread, at_version, part) AS entry
    WHERE statuses IS NULL OR entry.ref ->> 1 = ANY (statuses);
END
""",
    """
CREATE FUNCTION backstitch_state(thread text, version int) RETURNS jsonb LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT jsonb_build_object(
        'input', (
            SELECT backstitch_jsonb(x.input)
            FROM workflow_executions AS x
            WHERE x.thread_id = $1 AND x.id = (
                SELECT (path.manifest ->> 'input')::uuid
                FROM backstitch_path($1, $2) AS path
                WHERE path.manifest ->> 'input' IS NOT NULL
                ORDER BY path.rank DESC
                LIMIT 1
            )
        ),
        'context', (
            SELECT COALESCE(jsonb_object_agg(entry.name, CASE entry.ref ->> 0
                WHEN 'run' THEN (
                    SELECT backstitch_jsonb(run.output)
                    FROM workflow_steps AS run
                    WHERE run.thread_id = $1 AND run.id = (entry.ref ->> 1)::uuid
                )
                ELSE (
                    SELECT backstitch_jsonb(backstitch_readable(given.manifest) -> 'literals' -> entry.name)
                    FROM checkpoints AS given
                    WHERE given.thread_id = $1 AND given.version = (entry.ref ->> 1)::int
                )
            END), '{}'::jsonb)
            FROM backstitch_entries($1, $2, 'context') AS entry
        ),
        'steps', (
            SELECT COALESCE(jsonb_object_agg(entry.name, jsonb_build_object(
                'output', backstitch_jsonb(run.output), 'status', entry.ref ->> 1
            )), '{}'::jsonb)
            FROM backstitch_entries($1, $2, 'steps') AS entry
            LEFT JOIN workflow_steps AS run ON run.thread_id = $1 AND run.id = (entry.ref ->> 0)::uuid
        ),
        'metadata', jsonb_build_object(
            'thread_id', c.thread_id, 'version', c.version, 'parent_version', c.parent_version,
            'execution_id', c.execution_id, 'current_step', c.step_name,
            'completed_steps', backstitch_names($1, $2, 'steps', '{completed,skipped}'),
            'trigger', c.trigger, 'progress', c.progress, 'created_at', c.created_at
        )
    )
    FROM checkpoints AS c
    WHERE c.thread_id = $1 AND c.version = $2 AND EXISTS (SELECT FROM backstitch_path($1, $2));
END
""",
]

VIEWS = [
    """
CREATE VIEW workflow_states AS
SELECT c.thread_id AS workflow_id, c.version,
    jsonb_build_object(
        'currentStep', c.step_name,
        'status', CASE c.step_name WHEN 'END' THEN 'completed' ELSE 'running' END,
        'progress', c.progress,
        'executionId', c.execution_id,
        'contextKeys', backstitch_names(c.thread_id, c.version, 'context'),
        'metadata', jsonb_build_object(
            'completedSteps', backstitch_names(c.thread_id, c.version, 'steps', '{completed,skipped}')
        )
    ) AS state,
    c.created_at, c.thread_id, c.execution_id
FROM checkpoints AS c
""",
    """
CREATE VIEW workflow_executions_jsonb AS
SELECT id, thread_id, tenant, workflow_id, workflow_name, workflow_version, kind, status,
    backstitch_jsonb(input) AS input, backstitch_jsonb(parameters) AS parameters, backstitch_jsonb(output) AS output,
    backstitch_jsonb(context) AS context, backstitch_jsonb(error) AS error, triggered_by, external_run_id, created_at,
    started_at, completed_at
FROM workflow_executions
""",
    """
CREATE VIEW workflow_steps_jsonb AS
SELECT id, thread_id, execution_id, step_name, step_index, status, agent, attempt, retry_count,
    backstitch_jsonb(input) AS input, backstitch_jsonb(output) AS output, backstitch_jsonb(error) AS error, session_id,
    started_at, completed_at, duration_ms, next_attempt_at
FROM workflow_steps
""",
]

COMMENTS = {
    "FUNCTION backstitch_jsonb": "json as jsonb; \\u0000 becomes U+FFFD, what jsonb cannot hold a string of JSON text",
    "FUNCTION backstitch_path": "the manifests that make up a version, lowest rank oldest; none if a link is missing",
    "FUNCTION backstitch_entries": "what the manifests of a version add up to; part: steps or context",
    "FUNCTION backstitch_state": "the whole state of a thread at a version, NULL when it cannot be put together",
    "VIEW workflow_states": "one row a checkpoint version, with a light state; backstitch_state() gives the whole",
    "COLUMN workflow_states.workflow_id": "the thread id: the running instance, not its definition",
}


def upgrade() -> None:
    for statement in FUNCTIONS + VIEWS:
        op.execute(statement)
    for thing, comment in COMMENTS.items():
        op.execute(f"COMMENT ON {thing} IS '{comment}'")


def downgrade() -> None:
    for view in ("workflow_steps_jsonb", "workflow_executions_jsonb", "workflow_states"):
        op.execute(f"DROP VIEW {view}")
    for function in ("state", "names", "entries", "path", "readable", "jsonb"):
        op.execute(f"DROP FUNCTION backstitch_{function}")
