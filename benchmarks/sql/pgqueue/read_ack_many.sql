select count(*) as n, array_agg(m.msg_id) as ids, array[min(m.receipt)] as receipts from pgqueue.read__{queue}(qty => :qty::integer) m \gset
\if :n
select count(*) from pgqueue.delete_batch__{queue}(:ids::bigint[], :receipts::bigint[]);
\endif
