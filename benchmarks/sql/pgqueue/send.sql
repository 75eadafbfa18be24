select pgqueue.send__bench(:payload::jsonb);
