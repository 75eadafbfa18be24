select pgqueue.send('{queue}', :payload::jsonb);
