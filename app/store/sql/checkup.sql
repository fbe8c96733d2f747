-- What `backstitch doctor` asks of a database; nothing here writes or waits.

-- server --
SELECT current_setting('server_version_num')::int AS version, current_setting('server_version') AS version_text,
    pg_is_in_recovery() AS standby, current_setting('transaction_read_only') = 'on' AS read_only,
    current_setting('fsync') = 'on' AS fsync, current_setting('full_page_writes') = 'on' AS full_page_writes,
    current_setting('autovacuum') = 'on' AS autovacuum,
    current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int AS connections,
    (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')::int AS connected,
    (SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database()) AS encoding,
    pg_database_size(current_database()) AS size_bytes, current_user::text AS role,
    has_database_privilege(current_database(), 'CREATE') AS may_create;

-- clock --
SELECT clock_timestamp() AS now;

-- schema --
SELECT to_regnamespace(quote_ident($1)) IS NOT NULL AS is_there,
    COALESCE((SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = $1), false) AS may_use,
    COALESCE((SELECT has_schema_privilege(oid, 'CREATE') FROM pg_namespace WHERE nspname = $1), false) AS may_create;

-- tables --
-- Those of the schema that this role cannot read and write, and those whose autovacuum is off or far behind.
SELECT c.relname::text AS name,
    has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
        AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE') AS usable,
    COALESCE('autovacuum_enabled=false' = ANY (c.reloptions), false) AS unvacuumed,
    COALESCE(s.n_dead_tup, 0) AS dead, COALESCE(s.n_live_tup, 0) AS live
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_stat_all_tables AS s ON s.relid = c.oid
WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND c.relname <> 'alembic_version'
ORDER BY c.relname;

-- long_transactions --
-- The feed of all threads shows nothing that is newer than the oldest transaction that has written.
SELECT pid, COALESCE(application_name, '') AS application, extract(epoch FROM clock_timestamp() - xact_start)::float8 AS seconds,
    backend_xid IS NOT NULL AS wrote, state
FROM pg_stat_activity
WHERE xact_start < clock_timestamp() - make_interval(secs => $1::float8) AND pid <> pg_backend_pid()
    AND backend_type = 'client backend' AND (backend_xid IS NOT NULL OR backend_xmin IS NOT NULL)
ORDER BY xact_start;

-- prepared --
SELECT gid::text AS gid, extract(epoch FROM clock_timestamp() - prepared)::float8 AS seconds
FROM pg_prepared_xacts
ORDER BY prepared;
