select count(s.id) from (
    select pgmq.send_batch('bench', array_fill({payload}::jsonb, array[{batch}])) as id from generate_series(1, {batches})
) s;
