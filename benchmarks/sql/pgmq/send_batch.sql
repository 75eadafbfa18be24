select count(*) from pgmq.send_batch('{queue}', array_fill(:payload::jsonb, array[:qty::integer]));
