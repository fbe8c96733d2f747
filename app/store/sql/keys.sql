-- What PostgresKeys asks.

-- make --
INSERT INTO service_keys (name, key) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING;

-- find --
SELECT key FROM service_keys WHERE name = $1;
