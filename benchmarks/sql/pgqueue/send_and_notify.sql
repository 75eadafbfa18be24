select pgqueue.send__{queue}(:payload::jsonb), pg_notify('pgqueue_{queue}', '');
