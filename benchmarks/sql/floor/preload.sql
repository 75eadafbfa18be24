insert into bench_floor.messages (message) select {payload}::jsonb from generate_series(1, {batches} * {batch});
