create or replace function pgqueue.bury_batch__template_queue(msg_ids bigint[], reasons text[], errors text[] default null, receipts bigint[] default null)
returns table (msg_id bigint, outcome text)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
as $$
-- Move many messages to the dead letters, whole, with the reason and the last error.
-- Returns: done, gone or stale for each distinct id. Writes: r_, d_. Locks: rows by msg_id.
-- Raises: PQ002.
declare
    v_ids constant bigint[] := msg_ids;
    v_receipts constant bigint[] := receipts;
    v_receipt constant bigint := case when v_receipts[1] = all (v_receipts) then v_receipts[1] end; -- one for all: no pairs
    v_now constant timestamptz := pgqueue.clock();
    v_errors constant text[] := array(select pgqueue.clean_text(u.e) from unnest(errors) with ordinality u(e, i) order by u.i);
    v_reasons constant text[] := array(select left(pgqueue.clean_text(u.e), 255) from unnest(reasons) with ordinality u(e, i) order by u.i);
    v_done bigint[];
begin
    perform pgqueue.check_batch(v_ids, v_receipts, coalesce(cardinality(reasons), 0));
    perform pgqueue.check_batch(v_ids, null, cardinality(errors));
    if array_position(v_reasons, null) is not null or '' = any (v_reasons) then
        perform pgqueue.fault('PQ002', 'a reason is empty', 'Say in a word why the message is dead.');
    end if;
    with dead as (
        delete from pgqueue.r_template_queue r
        where r.msg_id = any (v_ids)
          and (v_receipts is null or r.receipt = v_receipt or v_receipt is null and (r.msg_id, r.receipt) in (select u.i, u.r from unnest(v_ids, v_receipts) u(i, r)))
        returning r.*
    ), buried as (
        insert into pgqueue.d_template_queue (msg_id, reason, error, died_at, holder, enqueued_at, last_read_at, read_ct, release_ct,
                                              priority, group_key, message, headers)
        select g.msg_id, v_reasons[array_position(v_ids, g.msg_id)], coalesce(v_errors[array_position(v_ids, g.msg_id)], g.error), v_now,
               g.holder, g.enqueued_at, g.last_read_at, g.read_ct, g.release_ct, g.priority, g.group_key, g.message, g.headers
        from dead g
    )
    select coalesce(array_agg(g.msg_id), '{}') into v_done from dead g;
    if cardinality(v_done) = cardinality(v_ids) then
        return query select u.i, 'done' from unnest(v_ids) u(i);
    else
        return query select o.msg_id, o.outcome from pgqueue.outcomes__template_queue(v_ids, v_done) o;
    end if;
end
$$;
