insert into {schema}.messages (vt, message) select clock_timestamp(), {payload}::jsonb from generate_series(1, {batches} * {batch});
