select count(*) as n, min(m.msg_id) as msg_id, min(m.receipt) as receipt from pgqueue.read__{queue}() m \gset
\if :n
select pgqueue.delete__{queue}(:msg_id::bigint, :receipt::bigint);
\endif
