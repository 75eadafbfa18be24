create or replace function pgqueue.depth__template_log()
returns table (depth bigint, ready bigint, delayed bigint, in_flight bigint, retrying bigint, approx boolean, dead bigint,
               oldest_at timestamptz, last_sent_at timestamptz, last_msg_id bigint)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_bitmapscan = off
as $$
-- Count the queue: the row side as the row kind does, and of the log what waits ahead of the cursor and what claims hold, each exactly
-- up to 10,000; beyond that what waits is the distance from the cursor to the last id, what is held what was handed out, and approx
-- says so. What sweep has not looked at yet and nobody holds counts as ready (of the first 10,000).
-- Returns: one row.
declare
    v_now constant timestamptz := pgqueue.clock();
    v_cursor constant bigint := pg_sequence_last_value('pgqueue.u_template_log'::regclass);
    v_last constant bigint := coalesce(pg_sequence_last_value('pgqueue.s_template_log'::regclass), 0);
    v_ahead bigint;
    v_held bigint;
    v_lapsed bigint;
    v_orphans bigint;
begin
    select count(*) into v_ahead
    from (select from pgqueue.l_template_log l where l.msg_id > v_cursor union all select from pgqueue.m_template_log m where m.msg_id > v_cursor limit 10001) a;
    select count(*) filter (where c.vt > v_now), count(*) filter (where c.vt <= v_now) into v_held, v_lapsed
    from (select c.vt from pgqueue.c_template_log c
          cross join lateral (select l.msg_id from pgqueue.l_template_log l where l.msg_id between c.lo and c.hi
                              union all select m.msg_id from pgqueue.m_template_log m where m.msg_id between c.lo and c.hi) x
          where c.gaps is null or x.msg_id <> all (c.gaps)
          limit 10001) c;
    select count(*) into v_orphans
    from (select from (select l.msg_id from pgqueue.l_template_log l where l.msg_id > (select max(h.done) from pgqueue.h_template_log h) and l.msg_id <= v_cursor
                       union all select m.msg_id from pgqueue.m_template_log m where m.msg_id > (select max(h.done) from pgqueue.h_template_log h) and m.msg_id <= v_cursor
                       limit 10001) o
          left join lateral (select c.hi, c.gaps from pgqueue.c_template_log c where c.lo between o.msg_id - 999 and o.msg_id order by c.lo desc limit 1) c on true
          where c.hi < o.msg_id or c.hi is null or o.msg_id = any (c.gaps)) o;
    select * into depth, ready, delayed, in_flight, retrying, approx, dead, oldest_at, last_sent_at, last_msg_id from pgqueue.row_depth__template_log();
    approx := approx or v_ahead > 10000 or v_held + v_lapsed > 10000 or v_orphans > 10000;
    if v_ahead > 10000 then
        v_ahead := v_last - v_cursor;
    end if;
    if v_held + v_lapsed > 10000 then
        select coalesce(sum(c.qty) filter (where c.vt > v_now), 0), coalesce(sum(c.qty) filter (where c.vt <= v_now), 0) into v_held, v_lapsed
        from (select c.qty, c.vt from pgqueue.c_template_log c limit 10000) c;
    end if;
    depth := depth + v_ahead + v_held + v_lapsed + v_orphans;
    ready := ready + v_ahead + v_lapsed + v_orphans;
    in_flight := in_flight + v_held;
    oldest_at := least(oldest_at, (select l.enqueued_at from pgqueue.l_template_log l where l.msg_id > v_cursor order by l.msg_id limit 1),
                       (select m.enqueued_at from pgqueue.m_template_log m where m.msg_id > v_cursor order by m.msg_id limit 1));
    last_sent_at := greatest(last_sent_at, (select l.enqueued_at from pgqueue.l_template_log l where l.msg_id > v_cursor order by l.msg_id desc limit 1),
                             (select m.enqueued_at from pgqueue.m_template_log m where m.msg_id > v_cursor order by m.msg_id desc limit 1),
                             (select max(x.enqueued_at) from (select c.lo, c.hi from pgqueue.c_template_log c order by c.lo desc limit 1) c
                              cross join lateral (select l.enqueued_at from pgqueue.l_template_log l where l.msg_id between c.lo and c.hi
                                                  union all select m.enqueued_at from pgqueue.m_template_log m where m.msg_id between c.lo and c.hi) x));
    return next;
end
$$;
