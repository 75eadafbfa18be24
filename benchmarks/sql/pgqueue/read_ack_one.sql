select m.msg_id, m.receipt from pgqueue.read__bench() m \gset
select pgqueue.delete__bench(:msg_id::bigint, :receipt::bigint);
