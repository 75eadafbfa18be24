create or replace function pgqueue.forget_steps__template_queue()
returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
as $$
-- Remove the steps of messages that are gone, so that an ack need not look for them. Each call looks at a thousand steps: half of the
-- time the oldest, else from anywhere on, since those of dead letters may stay at the front for long.
-- Returns: how many it removed. Writes: pgqueue.step. Locks: the removed rows; locked ones are skipped.
declare
    v_first bigint;
    v_last bigint;
    v_from bigint;
    v_ids bigint[];
    v_kept bigint[];
    v_gone integer;
begin
    select s.msg_id into v_first from pgqueue.step s where s.queue = 'template_queue' order by s.msg_id limit 1;
    if not found then
        return 0;
    end if;
    select s.msg_id into v_last from pgqueue.step s where s.queue = 'template_queue' order by s.msg_id desc limit 1;
    v_from := case when random() < 0.5 then v_first else v_first + floor(random() * (v_last - v_first))::bigint end;
    v_ids := array(select distinct f.msg_id
                   from (select s.msg_id from pgqueue.step s where s.queue = 'template_queue' and s.msg_id >= v_from order by s.msg_id limit 1000) f);
    v_kept := pgqueue.remaining__template_queue(v_ids);
    v_ids := array(select u.id from unnest(v_ids) u(id) where u.id <> all (v_kept));
    delete from pgqueue.step s
    where s.ctid = any (array(
        select o.ctid from pgqueue.step o where o.queue = 'template_queue' and o.msg_id = any (v_ids)
        order by o.msg_id, o.step limit 1000 for update skip locked));
    get diagnostics v_gone = row_count;
    return v_gone;
end
$$;
