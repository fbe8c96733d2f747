"""Policies: hidden versions in the view, retention with its runs, deleting whole threads, settings that are changed over the API.

A thread is deleted by one function, from all tables that `backstitch_thread_tables` names, as far as they are there: a release
that brings another table of threads replaces that.

Revision ID: 0011
Revises: 0008
"""

from alembic import op

revision = "0011"
down_revision = "0008"

UP = [
    """
CREATE OR REPLACE VIEW workflow_states AS
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
    c.created_at, c.thread_id, c.execution_id, c.hidden
FROM checkpoints AS c
""",
    "CREATE INDEX idempotency_keys_thread ON idempotency_keys (thread_id)",
    "ALTER TABLE workflows ADD COLUMN used_at timestamptz NOT NULL DEFAULT now()",
    """
CREATE TABLE retention_policies (
    tenant text NOT NULL DEFAULT 'default',
    workflow text NOT NULL,
    keep boolean NOT NULL DEFAULT false,
    days double precision CHECK (days > 0),
    status_days json NOT NULL DEFAULT '{}',
    max_threads int CHECK (max_threads >= 0),
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, workflow)
)
""",
    """
CREATE TABLE retention_runs (
    id uuid PRIMARY KEY,
    started_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    asked json NOT NULL,
    scanned bigint NOT NULL DEFAULT 0,
    threads bigint NOT NULL DEFAULT 0,
    rows bigint NOT NULL DEFAULT 0,
    bytes bigint NOT NULL DEFAULT 0,
    reasons json NOT NULL DEFAULT '{}',
    workflows json NOT NULL DEFAULT '{}',
    definitions bigint NOT NULL DEFAULT 0,
    agent_events bigint NOT NULL DEFAULT 0,
    error text
)
""",
    "CREATE INDEX retention_runs_started ON retention_runs (started_at DESC)",
    """
CREATE TABLE chores (
    name text PRIMARY KEY,
    owner uuid,
    held_until timestamptz NOT NULL DEFAULT '-infinity',
    ran_at timestamptz NOT NULL DEFAULT '-infinity'
)
""",
    "INSERT INTO chores (name) VALUES ('retention')",
    """
CREATE TABLE config_overrides (
    tenant text NOT NULL DEFAULT 'default',
    name text NOT NULL,
    value json NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now(),
    changed_by text,
    PRIMARY KEY (tenant, name)
)
""",
    """
CREATE TABLE config_changes (
    id uuid PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    name text NOT NULL,
    old json,
    new json,
    source text NOT NULL,
    changed_by text
)
""",
    "CREATE INDEX config_changes_at ON config_changes (at DESC, id DESC)",
    """
CREATE FUNCTION backstitch_thread_tables() RETURNS text[] LANGUAGE sql IMMUTABLE
RETURN ARRAY[
    'agent_logs', 'checkpoints', 'gates', 'idempotency_keys', 'langgraph_blobs', 'langgraph_checkpoints', 'langgraph_runs',
    'langgraph_writes', 'quarantine', 'workflow_events', 'workflow_executions', 'workflow_items', 'workflow_notes',
    'workflow_steps'
]
""",
    """
CREATE FUNCTION backstitch_delete(roots text[], epochs int[], revs bigint[])
RETURNS TABLE (root_id text, deleted_id text, row_count bigint) LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    families text[];
    gone text[];
    each_table text;
    counted bigint;
    total bigint := 0;
BEGIN
    -- Rows are locked in the order of thread_id, as everywhere; a family with a row that somebody holds is left for later.
    -- What was decided is repeated here under the lock: the roots are as they were seen, and all of a family has ended.
    WITH RECURSIVE given AS (
        SELECT * FROM unnest(roots, epochs, revs) AS g (root, epoch, rev)
    ), family AS (
        SELECT t.thread_id AS root, t.thread_id AS member
        FROM given JOIN threads AS t ON t.thread_id = given.root
        UNION
        SELECT family.root, t.thread_id FROM family JOIN threads AS t ON t.parent_thread_id = family.member
    ), held AS MATERIALIZED (
        SELECT t.thread_id AS member, t.epoch, t.rev
        FROM threads AS t
        WHERE t.thread_id IN (SELECT family.member FROM family)
            AND t.status IN ('completed', 'failed', 'cancelled', 'interrupted') AND t.incarnation_id IS NULL
        ORDER BY t.thread_id
        FOR UPDATE SKIP LOCKED
    ), fit AS (
        SELECT family.root FROM family LEFT JOIN held USING (member)
        GROUP BY family.root
        HAVING count(*) = count(held.epoch)
    ), unchanged AS (
        SELECT fit.root FROM fit JOIN given USING (root)
        JOIN held ON held.member = fit.root AND held.epoch = given.epoch AND held.rev = given.rev
    )
    SELECT array_agg(family.root ORDER BY family.member), array_agg(family.member ORDER BY family.member)
    INTO families, gone
    FROM family JOIN unchanged USING (root);
    IF gone IS NULL THEN
        RETURN;
    END IF;
    FOREACH each_table IN ARRAY backstitch_thread_tables() LOOP
        CONTINUE WHEN to_regclass(quote_ident(each_table)) IS NULL;
        EXECUTE format('DELETE FROM %I AS dead WHERE dead.thread_id = ANY ($1)', each_table) USING gone;
        GET DIAGNOSTICS counted = ROW_COUNT;
        total := total + counted;
    END LOOP;
    -- A document that was started directly is kept for a while after its last thread: somebody may be starting it anew.
    UPDATE workflows AS w SET used_at = now()
    WHERE w.version IS NULL AND w.used_at < now() - interval '1 hour'
        AND w.id IN (SELECT t.definition_id FROM threads AS t WHERE t.thread_id = ANY (gone));
    DELETE FROM threads AS t WHERE t.thread_id = ANY (gone);
    GET DIAGNOSTICS counted = ROW_COUNT;
    total := total + counted;
    RETURN QUERY SELECT told.root, told.member, CASE told.place WHEN 1 THEN total ELSE 0 END
    FROM unnest(families, gone) WITH ORDINALITY AS told (root, member, place);
END
$$
""",
    """
COMMENT ON FUNCTION backstitch_delete IS
'deletes ended threads with their sub-workflows from all tables; a thread whose epoch or rev has moved on is left alone'
""",
]

DOWN = [
    "DROP FUNCTION backstitch_delete(text[], int[], bigint[])",
    "DROP FUNCTION backstitch_thread_tables()",
    "DROP TABLE config_changes",
    "DROP TABLE config_overrides",
    "DROP TABLE chores",
    "DROP TABLE retention_runs",
    "DROP TABLE retention_policies",
    "ALTER TABLE workflows DROP COLUMN used_at",
    "DROP INDEX idempotency_keys_thread",
    "DROP VIEW workflow_states",
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
    "COMMENT ON VIEW workflow_states IS 'one row a checkpoint version, with a light state; backstitch_state() gives the whole'",
    "COMMENT ON COLUMN workflow_states.workflow_id IS 'the thread id: the running instance, not its definition'",
]


def upgrade() -> None:
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN:
        op.execute(statement)
