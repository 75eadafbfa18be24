insert into messages (vt, message) values (clock_timestamp(), :payload::jsonb) returning msg_id;
