create or replace function pgqueue.outcomes__template_queue(msg_ids bigint[], done bigint[])
returns table (msg_id bigint, outcome text)
language sql stable security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
as $$
-- What became of each id of a batch: done, stale (it is there, under another receipt or none) or gone.
-- Returns: one row a distinct id, by id. No EXISTS: a plan made for an empty table would hash the whole table for it.
select i.msg_id,
       case when i.msg_id = any ($2) then 'done'
            when i.msg_id = any (array(select r.msg_id from pgqueue.r_template_queue r where r.msg_id = any ($1))) then 'stale'
            else 'gone' end
from (select distinct u.msg_id from unnest($1) u(msg_id)) i
order by 1
$$;
