-- What PostgresMetrics asks: a row for a name and a minute of each process, one for an hour and a day of all.
-- A histogram is a number in whose decimal digits each bucket has twelve: the sum of the numbers is that of the histograms.

-- part found --
-- $1: the tenant, $2: the kind; the days $5 to $6, the hours $7 to $8 and the minutes $9 to $10 of the names in `page`.
found AS (
    SELECT * FROM metrics
    WHERE tenant = $1 AND kind = $2 AND name = ANY(ARRAY(SELECT name FROM page)) AND resolution = 'day' AND at >= $5 AND at < $6
    UNION ALL
    SELECT * FROM metrics
    WHERE tenant = $1 AND kind = $2 AND name = ANY(ARRAY(SELECT name FROM page)) AND resolution = 'hour' AND at >= $7 AND at < $8
    UNION ALL
    SELECT * FROM metrics
    WHERE tenant = $1 AND kind = $2 AND name = ANY(ARRAY(SELECT name FROM page)) AND resolution = 'minute' AND at >= $9
        AND at < $10
)

-- part summing --
sum(count)::bigint AS count, sum(errors)::bigint AS errors, sum(rejected)::bigint AS rejected,
    sum(retries)::bigint AS retries, sum(sum_ms) AS sum_ms, sum(cost_usd) AS cost_usd,
    sum(input_tokens)::bigint AS input_tokens, sum(output_tokens)::bigint AS output_tokens, sum(histogram) AS histogram

-- part numbers --
count, errors, rejected, retries, sum_ms, cost_usd, input_tokens, output_tokens

-- write --
-- A statement that was given up and arrives late displaces nothing that is further.
INSERT INTO metrics AS known (tenant, kind, name, resolution, at, writer, count, errors, rejected, retries, sum_ms, cost_usd,
    input_tokens, output_tokens, histogram, error, error_at)
SELECT $1, kind, name, 'minute', at, $2, count, errors, rejected, retries, sum_ms, cost_usd, input_tokens, output_tokens,
    histogram::numeric, error::json, error_at
FROM unnest($3::text[], $4::text[], $5::timestamptz[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::float8[],
        $11::float8[], $12::bigint[], $13::bigint[], $14::text[], $15::text[], $16::timestamptz[])
    AS told (kind, name, at, count, errors, rejected, retries, sum_ms, cost_usd, input_tokens, output_tokens, histogram,
        error, error_at)
ON CONFLICT (tenant, kind, name, resolution, at, writer) DO UPDATE SET
    count = EXCLUDED.count, errors = EXCLUDED.errors, rejected = EXCLUDED.rejected, retries = EXCLUDED.retries,
    sum_ms = EXCLUDED.sum_ms, cost_usd = EXCLUDED.cost_usd, input_tokens = EXCLUDED.input_tokens,
    output_tokens = EXCLUDED.output_tokens, histogram = EXCLUDED.histogram, error = EXCLUDED.error,
    error_at = EXCLUDED.error_at, written_at = clock_timestamp()
WHERE known.count <= EXCLUDED.count AND known.retries <= EXCLUDED.retries AND known.cost_usd <= EXCLUDED.cost_usd
    AND known.input_tokens <= EXCLUDED.input_tokens AND known.output_tokens <= EXCLUDED.output_tokens;

-- over --
WITH minutes AS (
    SELECT {summing} FROM metrics
    WHERE tenant = $1 AND kind = $2 AND name = $3 AND resolution = 'minute'
        AND at > clock_timestamp() - $4::interval - interval '1 minute'
), last AS (
    SELECT error, error_at FROM metrics
    WHERE tenant = $1 AND kind = $2 AND name = $3 AND resolution = 'minute' AND error_at IS NOT NULL
    ORDER BY at DESC, error_at DESC LIMIT 1
)
SELECT {numbers}, histogram::text, (SELECT error FROM last) AS error, (SELECT error_at FROM last) AS error_at FROM minutes;

-- rolled --
SELECT resolution, rolled_until FROM metric_rollups WHERE tenant = $1;

-- sums --
-- $3: the last name of the page before, $4: how many.  One look into the index for each name, however many rows it has.
WITH RECURSIVE names AS (
    (SELECT name FROM metrics WHERE tenant = $1 AND kind = $2 AND name > $3 ORDER BY name LIMIT 1)
    UNION ALL
    SELECT next.name
    FROM names CROSS JOIN LATERAL (
        SELECT name FROM metrics WHERE tenant = $1 AND kind = $2 AND name > names.name ORDER BY name LIMIT 1
    ) AS next
), page AS MATERIALIZED ( -- a recursion gives its rows in the order in which it finds them, which is that of the names
    SELECT name FROM names
    WHERE EXISTS (
        SELECT FROM metrics
        WHERE tenant = $1 AND kind = $2 AND name = names.name AND resolution = 'day' AND at >= $5 AND at < $6
    ) OR EXISTS (
        SELECT FROM metrics
        WHERE tenant = $1 AND kind = $2 AND name = names.name AND resolution = 'hour' AND at >= $7 AND at < $8
    ) OR EXISTS (
        SELECT FROM metrics
        WHERE tenant = $1 AND kind = $2 AND name = names.name AND resolution = 'minute' AND at >= $9 AND at < $10
    )
    LIMIT $4
), {found}, summed AS (
    SELECT name, {summing} FROM found GROUP BY name
)
SELECT name, {numbers}, histogram::text, NULL AS error, NULL::timestamptz AS error_at FROM summed ORDER BY name;

-- points --
-- $3: the name, $4: the resolution, $11: whether histograms are wanted.
WITH page AS (SELECT $3::text AS name), {found}, summed AS (
    SELECT date_trunc($4, at, 'UTC') AS at, {summing} FROM found GROUP BY 1
)
SELECT at, {numbers}, CASE WHEN $11::boolean THEN histogram::text END AS histogram, NULL AS error,
    NULL::timestamptz AS error_at
FROM summed
ORDER BY at;

-- take_turn --
-- Whoever gets the row rolls up; who comes meanwhile, or soon after, gets none.
SELECT rolled_until, rolled_at, date_trunc($2, clock_timestamp() - $4::interval, 'UTC') AS ready_until
FROM metric_rollups
WHERE tenant = $1 AND resolution = $2 AND rolled_at <= clock_timestamp() - $3::interval
FOR UPDATE SKIP LOCKED;

-- touched --
-- The times of resolution $2 before $5 that are not rolled up yet, or of which a row of resolution $3 was written since $6;
-- $4: before that nothing is written any more.
SELECT DISTINCT date_trunc($2, at, 'UTC') AS at
FROM metrics
WHERE tenant = $1 AND resolution = $3 AND at >= $4 AND at < $5 AND (at >= $7 OR written_at >= $6)
ORDER BY 1
LIMIT $8;

-- roll --
-- The rows of resolution $3 with $4 <= at < $5, summed into one of resolution $2 for each name.
INSERT INTO metrics (tenant, resolution, at, kind, name, count, errors, rejected, retries, sum_ms, cost_usd, input_tokens,
    output_tokens, histogram)
SELECT $1, $2, $4, kind, name, {summing}
FROM metrics
WHERE tenant = $1 AND resolution = $3 AND at >= $4 AND at < $5
GROUP BY kind, name
ON CONFLICT (tenant, kind, name, resolution, at, writer) DO UPDATE SET
    count = EXCLUDED.count, errors = EXCLUDED.errors, rejected = EXCLUDED.rejected, retries = EXCLUDED.retries,
    sum_ms = EXCLUDED.sum_ms, cost_usd = EXCLUDED.cost_usd, input_tokens = EXCLUDED.input_tokens,
    output_tokens = EXCLUDED.output_tokens, histogram = EXCLUDED.histogram, written_at = clock_timestamp();

-- end_turn --
UPDATE metric_rollups SET rolled_until = greatest(rolled_until, $3), rolled_at = clock_timestamp()
WHERE tenant = $1 AND resolution = $2;

-- prune --
-- $3: the age, $5: the resolution that they are rolled up into, NULL for none; $6: how long after that they may still change.
DELETE FROM metrics WHERE (tenant, kind, name, resolution, at, writer) IN (
    SELECT tenant, kind, name, resolution, at, writer FROM metrics
    WHERE tenant = $1 AND resolution = $2 AND at < clock_timestamp() - $3::interval
        AND at < coalesce((
            SELECT rolled_until FROM metric_rollups WHERE tenant = $1 AND resolution = $5
        ) - $6::interval, 'infinity')
    ORDER BY at LIMIT $4 FOR UPDATE SKIP LOCKED)
RETURNING at;

-- thread_counts --
-- No index: one that holds the status would be written with each move of a thread.  Who asks keeps the answer for a while.
SELECT status, count(*) AS threads FROM threads WHERE tenant = $1 GROUP BY status
