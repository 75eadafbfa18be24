select pgqueue.send__{queue}(:payload::jsonb);
