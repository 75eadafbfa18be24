select count(*) from pgqueue.send_batch__bench(array_fill(:payload::jsonb, array[:qty::integer]));
