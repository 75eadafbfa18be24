select coalesce(pgq.next_batch('bench', 'reader'), 0) as batch, set_config('synchronous_commit', :commit, true) \gset next_
\if :next_batch
begin;
select set_config('synchronous_commit', :commit, true);
insert into bench_pgq.consumed select count(*) from pgq.get_batch_events(:next_batch) e where length(e.ev_data) > 0;
select pgq.finish_batch(:next_batch);
commit;
\else
\sleep 5 ms
\endif
