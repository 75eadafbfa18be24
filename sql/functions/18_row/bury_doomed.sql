create or replace function pgqueue.bury_doomed__template_queue(level smallint, due timestamptz)
returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
as $$
-- Bury every message past the hard cap among the first thousand due ones of a level. read calls it once it has met one:
-- where there is one there may be thousands, and one a round would walk over the dead entries of all before it.
-- Writes: r_, d_. Locks: the buried rows; locked ones are skipped.
declare
    c_hard_cap constant integer := 10; -- setting: hard_cap
begin
    with doomed as (
        delete from pgqueue.r_template_queue r
        where r.msg_id = any (array(
            select d.msg_id from pgqueue.r_template_queue d
            where d.msg_id = any (array(
                select f.msg_id
                from (select c.msg_id, c.read_ct - c.release_ct as counted from pgqueue.r_template_queue c
                      where c.priority = level and c.vt <= due order by c.vt, (c.msg_id + 0) limit 1000) f
                where f.counted >= c_hard_cap))
              and d.vt <= due and d.read_ct - d.release_ct >= c_hard_cap
            for update skip locked))
        returning r.*
    )
    insert into pgqueue.d_template_queue (msg_id, reason, error, died_at, holder, enqueued_at, last_read_at, read_ct, release_ct, priority, group_key, message, headers)
    select d.msg_id, 'hard_cap', d.error, due, d.holder, d.enqueued_at, d.last_read_at, d.read_ct, d.release_ct, d.priority, d.group_key, d.message, d.headers
    from doomed d;
end
$$;
