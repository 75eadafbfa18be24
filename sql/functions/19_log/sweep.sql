create or replace function pgqueue.sweep__template_log()
returns integer
language plpgsql
as $$
-- Bring back what is behind the cursor though nobody holds it: the reader rolled back, or the sender committed late. Bounded
-- steps; any number of sessions may do it at once, in any transaction: the state is only ever a lower bound.
-- How it knows: it notes the cursor, and after that takes an xid. When every transaction with a lower one has finished (the horizon
-- has passed), every reader that moved the cursor so far has committed its claim or never will, and so has every sender of an id
-- so far. Then what is visible up to there and under no claim is an orphan. h_ holds how far that was done.
-- Refuses to work on an old snapshot: under anything but READ COMMITTED it does nothing.
-- Returns: how many messages moved. Writes: l_, m_, c_, r_, h_; may move u_. Locks: messages; locked ones are skipped.
declare
    c_step constant bigint := 50000;
    v_now constant timestamptz := pgqueue.clock();
    v_cluster constant bigint := (select s.system_identifier from pg_control_system() s);
    v_old record;
    v_done bigint;
    v_mark bigint;
    v_mark_last bigint;
    v_mark_xid xid8;
    v_to bigint;
    v_orphans bigint[];
    v_late bigint[];
    v_moved integer := 0;
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        return 0;
    end if;
    select h.* into v_old from pgqueue.h_template_log h order by h.done desc, h.mark_xid desc limit 1;
    v_done := v_old.done;
    v_mark_xid := v_old.mark_xid;
    v_mark := v_old.mark;
    v_mark_last := v_old.mark_last;
    if v_old.cluster <> v_cluster or v_mark_xid > greatest(pg_snapshot_xmax(pg_current_snapshot()), pg_current_xact_id_if_assigned()) then
        -- Restored into another cluster: its xids mean nothing here. Once more from the beginning.
        v_done := 0;
        v_mark_xid := null;
    end if;
    for v_round in 1 .. 12 loop
        if v_mark_xid is null then
            v_mark := pg_sequence_last_value('pgqueue.u_template_log'::regclass); -- before the xid: the other way round could miss an open reader
            v_mark_last := greatest(v_mark, pg_sequence_last_value('pgqueue.s_template_log'::regclass));
            exit when v_mark <= v_done and (v_mark_last = v_mark or exists (select from pgqueue.l_template_log l where l.msg_id > v_mark)
                                            or exists (select from pgqueue.m_template_log m where m.msg_id > v_mark));
            v_mark_xid := pgqueue.fresh_xid__template_log();
        end if;
        exit when pg_snapshot_xmin(pg_current_snapshot()) < v_mark_xid;
        v_to := least(v_mark, v_done + c_step);
        v_late := array(select unnest(c.gaps) from pgqueue.c_template_log c where c.gaps is not null and c.lo <= v_to);
        -- Between the claims, for a visible message under a claim costs nothing then.
        v_orphans := array(
            select o.msg_id
            from (select greatest(coalesce(lag(c.hi) over (order by c.lo), 0), v_done) + 1 as first, c.lo - 1 as last
                  from (select c.lo, c.hi from pgqueue.c_template_log c where c.lo > v_done - 999 and c.lo <= v_to
                        union all select v_to + 1, v_to + 1) c) free
            cross join lateral (
                select l.msg_id from pgqueue.l_template_log l where l.msg_id between free.first and free.last
                union all select m.msg_id from pgqueue.m_template_log m where m.msg_id between free.first and free.last) o
            where free.first <= free.last);
        v_moved := v_moved + cardinality(pgqueue.set_aside__template_log(v_late, v_now, 0)) + cardinality(pgqueue.set_aside__template_log(v_orphans, v_now, 1));
        -- One that somebody holds locked stays for the next time.
        v_to := least(v_to, (select min(o.id) - 1 from unnest(v_late || v_orphans) o(id)
                             where exists (select from pgqueue.l_template_log l where l.msg_id = o.id
                                           union all select from pgqueue.m_template_log m where m.msg_id = o.id)));
        update pgqueue.c_template_log c set gaps = null where c.gaps is not null and c.hi <= v_to;
        v_done := greatest(v_done, v_to);
        exit when v_moved >= 1000 or pgqueue.clock() - v_now > '20 ms';
        continue when v_done < v_mark;
        v_mark_xid := null;
        if v_mark_last > v_mark and pgqueue.skip_rolled_back__template_log(v_mark, v_mark_last) then
            v_done := v_mark_last;
        end if;
    end loop;
    if v_done <> v_old.done or v_mark_xid <> v_old.mark_xid or v_old.cluster <> v_cluster then
        -- The row that was read; all of them where they would stand above the new one, and now and then, for two sweeps at once leave one.
        delete from pgqueue.h_template_log h
        where h.ctid = any (array(select o.ctid from pgqueue.h_template_log o where o.done = v_old.done and o.mark_xid = v_old.mark_xid for update skip locked));
        if v_done < v_old.done or random() < 0.002 then
            delete from pgqueue.h_template_log h where h.ctid = any (array(select o.ctid from pgqueue.h_template_log o for update skip locked));
        end if;
        insert into pgqueue.h_template_log (done, mark, mark_last, mark_xid, cluster, swept_at)
        values (v_done, case when v_mark_xid is null then v_done else v_mark end, case when v_mark_xid is null then v_done else v_mark_last end,
                coalesce(v_mark_xid, '3'), v_cluster, v_now);
    end if;
    return v_moved;
end
$$;
