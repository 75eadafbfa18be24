select * from pgmq.send('{queue}', :payload::jsonb);
