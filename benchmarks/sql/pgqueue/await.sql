select setval('pgqueue.w_{queue}', (extract(epoch from clock_timestamp()) * 1000 + 60000)::bigint)
