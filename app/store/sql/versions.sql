-- Which versions people see: hidden ones serve recovery only, and may be shown later.

-- show --
UPDATE checkpoints SET hidden = false WHERE thread_id = $1 AND version = $2 AND hidden;

-- show_head --
WITH head AS (
    SELECT thread_id, head_version FROM threads WHERE thread_id = $1
), shown AS (
    UPDATE checkpoints AS c SET hidden = false
    FROM head
    WHERE c.thread_id = head.thread_id AND c.version = head.head_version AND c.hidden
)
SELECT head_version FROM head;
