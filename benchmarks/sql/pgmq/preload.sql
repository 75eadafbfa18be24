select count(s.id) from (
    select pgmq.send_batch('{queue}', array_fill({payload}::jsonb, array[{batch}])) as id from generate_series(1, {batches})
) s;
