-- What was found damaged: put aside in the transaction of the steering that heals it, and looked at afterwards.

-- put_aside --
INSERT INTO quarantine (thread_id, id, kind, version, run_id, execution_id, step_name, problem, expected, stored, found_at)
SELECT $1, item.id, item.kind, item.version, item.run_id, item.execution_id, item.step_name, item.problem, item.expected,
    item.stored, $11
FROM unnest($2::uuid[], $3::text[], $4::int[], $5::uuid[], $6::uuid[], $7::text[], $8::text[], $9::bytea[], $10::text[])
    AS item (id, kind, version, run_id, execution_id, step_name, problem, expected, stored)
ON CONFLICT DO NOTHING;

-- mend_input --
-- Only the very text that was there before comes back: its digest has been compared with the one in this row.
UPDATE workflow_executions SET input = $3::text::json WHERE thread_id = $1 AND id = $2::uuid AND input_sha256 = $4;
