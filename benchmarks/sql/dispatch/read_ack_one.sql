select m.msg_id, m.receipt from pgqueue.read('bench') m \gset
select pgqueue.delete('bench', :msg_id::bigint, :receipt::bigint);
