create or replace function pgqueue.outcomes__template_log(msg_ids bigint[], done bigint[])
returns table (msg_id bigint, outcome text)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
as $$
-- What became of each id of a batch: done, stale (it is there, under another receipt or none) or gone.
-- Returns: one row a distinct id, by id. One snapshot, so that a message on its way to the row side is seen once.
begin
    return query
        select i.msg_id,
               case when i.msg_id = any (done) then 'done'
                    when i.msg_id = any (array(select r.msg_id from pgqueue.r_template_log r where r.msg_id = any (msg_ids)
                                               union all select l.msg_id from pgqueue.l_template_log l where l.msg_id = any (msg_ids)
                                               union all select m.msg_id from pgqueue.m_template_log m where m.msg_id = any (msg_ids))) then 'stale'
                    else 'gone' end
        from (select distinct u.msg_id from unnest(msg_ids) u(msg_id)) i
        order by 1;
end
$$;
