create or replace function pgqueue.barrier_missing(key text, generation bigint default null, qty integer default 100)
returns table (part integer, queue text, msg_id bigint, tries integer, state text, read_ct integer, vt timestamptz, holder text, error text)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_bitmapscan = off
set enable_nestloop = off
as $$
-- Who is missing: the open parts of the newest run of a key (or of the given one), each with where its message is.
-- Returns: the first qty, by part; state as in pgqueue.messages, or dead, redriven, gone. Raises: PQ002.
declare
    v_generation bigint;
begin
    if qty is null or qty not between 1 and 10000 then
        perform pgqueue.fault('PQ002', format('qty must be 1 .. 10000, not %s', coalesce(qty::text, 'null')), 'Pass a number in this range.');
    end if;
    select b.generation into v_generation from pgqueue.barrier b
    where b.key = $1 and ($2 is null or b.generation = $2) order by b.generation desc limit 1;
    return query
        with missing as materialized (
            select p.part, p.queue, p.msg_id, p.tries from pgqueue.barrier_part p
            where p.generation = v_generation and p.state = 'open' order by p.part limit $3
        )
        select m.part, m.queue, m.msg_id, m.tries, w.state, w.read_ct, w.vt, w.holder, nullif(w.error, '')
        from (select m.queue, array_agg(m.msg_id) as ids from missing m group by m.queue) q
        cross join lateral pgqueue.part_messages(q.queue, q.ids) w
        join missing m on m.queue = q.queue and m.msg_id = w.msg_id
        order by m.part;
end
$$;
