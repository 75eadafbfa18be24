select m.msg_id from pgmq.read('bench', 30, 1) m \gset
select pgmq.delete('bench', :msg_id::bigint);
