create or replace function pgqueue.redrive__template_queue(msg_ids bigint[] default null)
returns table (old_id bigint, new_id bigint)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Send dead letters again, each as a new message whose header pgqueue-redriven-from names the old one; the dead letter
-- stays and names the new one; what it did by steps stays done. One that was redriven before, or is unknown, is left out.
-- Returns: old and new id, by old id. Writes: d_(redriven_as, redriven_at), r_, step. Locks: groups by number, then dead letters by msg_id.
-- Raises: PQ002.
declare
    v_now constant timestamptz := pgqueue.clock();
    v_ids bigint[];
begin
    if msg_ids is not null then
        perform pgqueue.check_batch(msg_ids, null);
    end if;
    v_ids := array(select d.msg_id from pgqueue.d_template_queue d
                   where d.redriven_as is null and (msg_ids is null or d.msg_id = any (msg_ids)));
    perform pg_advisory_xact_lock(l.number)
    from (select distinct pgqueue.group_lock('template_queue', d.group_key) as number from pgqueue.d_template_queue d
          where d.msg_id = any (v_ids) and d.group_key is not null order by 1) l;
    v_ids := array(select d.msg_id from pgqueue.d_template_queue d
                   where d.redriven_as is null and d.msg_id = any (v_ids) order by d.msg_id for update);
    return query
        with pair as materialized (
            select o.id as old_id, nextval('pgqueue.s_template_queue') as new_id
            from (select u.id from unnest(v_ids) with ordinality u(id, i) order by u.i) o
        ), marked as (
            update pgqueue.d_template_queue d set redriven_as = p.new_id, redriven_at = v_now
            from pair p where d.msg_id = p.old_id
        ), sent as (
            insert into pgqueue.r_template_queue (msg_id, enqueued_at, vt, message, headers, group_key, priority)
            select p.new_id, v_now, v_now, d.message, coalesce(d.headers, '{}') || jsonb_build_object('pgqueue-redriven-from', p.old_id), d.group_key, d.priority
            from pair p join pgqueue.d_template_queue d on d.msg_id = p.old_id
        ), remembered as (
            insert into pgqueue.step (queue, msg_id, step, done_at)
            select 'template_queue', p.new_id, s.step, s.done_at
            from pair p join pgqueue.step s on s.queue = 'template_queue' and s.msg_id = p.old_id
        )
        select p.old_id, p.new_id from pair p order by p.old_id;
end
$$;
