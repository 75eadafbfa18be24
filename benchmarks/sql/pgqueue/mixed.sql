select count(*) from pgqueue.send_batch__{queue}(array_fill(:payload::jsonb, array[:qty::integer]));
select set_config('synchronous_commit', :commit, true), count(*) as n, array_agg(m.msg_id) as ids, array[min(m.receipt)] as receipts
from pgqueue.read__{queue}(qty => :qty::integer) m \gset mixed_
\if :mixed_n
select set_config('synchronous_commit', :commit, true), count(*) from pgqueue.delete_batch__{queue}(:mixed_ids::bigint[], :mixed_receipts::bigint[]);
\endif
