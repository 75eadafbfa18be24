select pgqueue.send('bench', :payload::jsonb);
