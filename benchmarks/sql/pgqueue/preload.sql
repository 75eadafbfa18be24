select count(s.id) from (
    select pgqueue.send_batch__{queue}(array_fill({payload}::jsonb, array[{batch}])) as id from generate_series(1, {batches})
) s;
