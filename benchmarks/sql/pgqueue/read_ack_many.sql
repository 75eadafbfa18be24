select array_agg(m.msg_id) as ids, array[min(m.receipt)] as receipts from pgqueue.read__bench(qty => :qty::integer) m \gset
select count(*) from pgqueue.delete_batch__bench(:ids::bigint[], :receipts::bigint[]);
