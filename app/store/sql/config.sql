-- What PostgresConfig asks: values set over the API, and the record of all changes.

-- overrides --
SELECT name, value FROM config_overrides WHERE tenant = 'default' ORDER BY name;

-- put --
INSERT INTO config_overrides (name, value, changed_by)
SELECT name, value::json, $3 FROM unnest($1::text[], $2::text[]) AS given (name, value)
ON CONFLICT (tenant, name) DO UPDATE SET value = excluded.value, changed_by = excluded.changed_by, changed_at = now();

-- drop --
DELETE FROM config_overrides WHERE tenant = 'default' AND name = ANY ($1::text[]);

-- note --
INSERT INTO config_changes (id, at, name, old, new, source, changed_by)
SELECT id, at, name, old::json, new::json, source, changed_by
FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
    AS told (id, at, name, old, new, source, changed_by)
ON CONFLICT (id) DO NOTHING; -- told again after a reply that was lost

-- changes --
SELECT id, at, name, old, new, source, changed_by
FROM config_changes
WHERE $1::timestamptz IS NULL OR (at, id) < ($1, $2::uuid)
ORDER BY at DESC, id DESC
LIMIT $3;
