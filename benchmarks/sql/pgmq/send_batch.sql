select count(*) from pgmq.send_batch('bench', array_fill(:payload::jsonb, array[:qty::integer]));
