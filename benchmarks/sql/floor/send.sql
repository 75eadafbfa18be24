insert into messages (message) values (:payload::jsonb) returning msg_id;
