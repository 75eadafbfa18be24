select count(*) from pgqueue.send_batch('{queue}', array_fill(:payload::jsonb, array[:qty::integer]));
