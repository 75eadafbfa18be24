select count(*) from pgqueue.send_batch__{queue}(array_fill(:payload::jsonb, array[:qty::integer]));
