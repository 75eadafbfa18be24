select array_agg(m.msg_id) as ids, array[min(m.receipt)] as receipts from pgqueue.read('bench', qty => :qty::integer) m \gset
select count(*) from pgqueue.delete_batch('bench', :ids::bigint[], :receipts::bigint[]);
