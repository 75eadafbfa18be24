create or replace function pgqueue.create_log_tables(queue text, first_id bigint)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $ddl$
-- What a queue of kind log has besides the tables of a row queue, which serve as its row side: l_ and m_ the log, c_ claims, h_ how
-- far sweep has looked, the sequence u_ the cursor: the highest id handed out. q_ shows both sides.
-- A message is inserted, and deleted when it is acked or moves to the row side; never updated. Ids go to l_ and m_ in turn, 131,072
-- to each (id & 131072), so that the side that is drained can be truncated while the other one is written.
-- l_ and m_ are vacuumed only when rotation does not come round (200,000 dead rows): a truncated side leaves nothing to vacuum.
-- A claim is one read's lease over lo .. hi without gaps; it is a hint, the truth is the visible row. u_ is not transactional.
-- Writes: the tables, h_'s first row.
begin
    execute replace(replace($sql$
        create sequence pgqueue.u_template_log as bigint minvalue 0 start with 0 cache 1;
        select setval('pgqueue.u_template_log', FIRST_ID - 1);
        create table pgqueue.l_template_log (
            msg_id      bigint      not null,
            enqueued_at timestamptz not null,
            message     jsonb       not null,
            headers     jsonb,
            constraint ix_l_template_log_pkey primary key (msg_id)
        ) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200000, autovacuum_vacuum_insert_threshold = -1,
                autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 2000000000, vacuum_truncate = false);
        create table pgqueue.m_template_log (
            msg_id      bigint      not null,
            enqueued_at timestamptz not null,
            message     jsonb       not null,
            headers     jsonb,
            constraint ix_m_template_log_pkey primary key (msg_id)
        ) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200000, autovacuum_vacuum_insert_threshold = -1,
                autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 2000000000, vacuum_truncate = false);
        create table pgqueue.c_template_log (
            lo      bigint      not null,
            hi      bigint      not null,
            qty     integer     not null,
            vt      timestamptz not null,
            receipt bigint      not null,
            read_at timestamptz not null,
            gaps    bigint[],
            holder  text,
            constraint ix_c_template_log_pkey primary key (lo)
        ) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_insert_threshold = -1, vacuum_truncate = false);
        create index ix_c_template_log_vt on pgqueue.c_template_log (vt, lo);
        create index ix_c_template_log_gaps on pgqueue.c_template_log (lo) where gaps is not null;
        create table pgqueue.h_template_log (
            done      bigint      not null,
            mark      bigint      not null,
            mark_last bigint      not null,
            mark_xid  xid8        not null,
            cluster   bigint      not null,
            swept_at  timestamptz not null
        ) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500, vacuum_truncate = false);
        create index ix_h_template_log_newest on pgqueue.h_template_log (done desc, mark_xid desc);
        insert into pgqueue.h_template_log (done, mark, mark_last, mark_xid, cluster, swept_at)
        select FIRST_ID - 1, FIRST_ID - 1, FIRST_ID - 1, pg_snapshot_xmin(pg_current_snapshot()), s.system_identifier, pgqueue.clock() from pg_control_system() s;
        create or replace view pgqueue.q_template_log as
        select r.msg_id,
               case when r.vt <= (select pgqueue.clock()) then 'ready'
                    when r.receipt is not null then 'in_flight'
                    when r.read_ct = 0 then 'delayed'
                    else 'retry' end as state,
               r.read_ct, r.release_ct, r.priority::integer as priority, r.group_key, r.enqueued_at, r.last_read_at, r.vt,
               r.holder, r.error, r.message, r.headers
        from pgqueue.r_template_log r
        union all
        select x.msg_id, case when (x.claim).vt > (select pgqueue.clock()) then 'in_flight' else 'ready' end,
               ((x.claim).lo is not null)::integer, 0, 0, null, x.enqueued_at, (x.claim).read_at, coalesce((x.claim).vt, x.enqueued_at),
               (x.claim).holder, null, x.message, x.headers
        from (select l.msg_id, l.enqueued_at, l.message, l.headers,
                     (select case when c.hi >= l.msg_id and (c.gaps is null or l.msg_id <> all (c.gaps)) then c end from pgqueue.c_template_log c
                      where l.msg_id <= (select u.last_value from pgqueue.u_template_log u) and c.lo <= l.msg_id order by c.lo desc limit 1) as claim
              from pgqueue.l_template_log l) x
        union all
        select x.msg_id, case when (x.claim).vt > (select pgqueue.clock()) then 'in_flight' else 'ready' end,
               ((x.claim).lo is not null)::integer, 0, 0, null, x.enqueued_at, (x.claim).read_at, coalesce((x.claim).vt, x.enqueued_at),
               (x.claim).holder, null, x.message, x.headers
        from (select m.msg_id, m.enqueued_at, m.message, m.headers,
                     (select case when c.hi >= m.msg_id and (c.gaps is null or m.msg_id <> all (c.gaps)) then c end from pgqueue.c_template_log c
                      where m.msg_id <= (select u.last_value from pgqueue.u_template_log u) and c.lo <= m.msg_id order by c.lo desc limit 1) as claim
              from pgqueue.m_template_log m) x
    $sql$, 'template_log', queue), 'FIRST_ID', first_id::text);
end
$ddl$;
