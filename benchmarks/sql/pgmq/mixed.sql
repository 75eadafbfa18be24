select count(*) from pgmq.send_batch('{queue}', array_fill(:payload::jsonb, array[:qty::integer]));
select set_config('synchronous_commit', :commit, true), count(*) as n, array_agg(m.msg_id) as ids
from pgmq.read('{queue}', 30, :qty::integer) m \gset mixed_
\if :mixed_n
select set_config('synchronous_commit', :commit, true), count(*) from pgmq.delete('{queue}', :mixed_ids::bigint[]);
\endif
