select * from pgmq.send('bench', :payload::jsonb);
