select count(*) from pgqueue.send_batch('bench', array_fill(:payload::jsonb, array[:qty::integer]));
