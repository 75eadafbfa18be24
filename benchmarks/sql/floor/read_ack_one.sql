delete from messages where msg_id = (select msg_id from messages order by msg_id limit 1 for update skip locked) returning msg_id, message;
