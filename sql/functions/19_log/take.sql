create or replace function pgqueue.take__template_log(qty integer, due timestamptz)
returns bigint[]
language plpgsql
as $$
-- Move the cursor over the next qty visible ids of one side of the log.
-- The cursor is a sequence: it moves at once and for good, whatever becomes of the caller. If the caller rolls back, the ids
-- are behind the cursor with no claim over them, and sweep brings them back. An id below the last one taken whose sender has
-- not committed is a gap: never waited for (a rollback leaves one for ever), remembered with the claim, brought back by mend.
-- A row that somebody deletes or locks just now counts as a gap too, so a cancelled message is not handed out.
-- Returns: where the cursor stood, then the ids; null: there is nothing to take. Locks: the take lock. Moves: u_.
declare
    c_lock constant bigint := pgqueue.take_lock('template_log');
    c_fresh constant interval := '50 ms';
    c_tries constant integer := 200;
    v_cursor bigint;
    v_next bigint;
    v_edge bigint;
    v_gap bigint;
    v_place integer;
    v_xid xid8;
    v_ids bigint[];
begin
    begin
        -- The subtransaction is always rolled back. That gives up the lock here and not at the commit (a reader's flush or its long
        -- transaction would stop all others), on every way out: cancelled, failed or done. A sequence doesn't roll back.
        -- Try before waiting: whoever waits is handed the lock asleep, and everybody else then waits for it to wake up.
        for v_try in 1 .. c_tries loop
            exit when pg_try_advisory_xact_lock(c_lock);
            if v_try = c_tries then
                perform pg_advisory_xact_lock(c_lock);
            elsif v_try % 20 = 0 then
                perform pg_sleep(0.001);
            end if;
        end loop;
        v_cursor := pg_sequence_last_value('pgqueue.u_template_log'::regclass);
        v_next := v_cursor + 1;
        v_edge := v_next | 131071;
        -- The usual case: the next ids are all there. An open range would have the index read its page to the end.
        if v_next & 131072 = 0 then
            v_ids := array(select l.msg_id from pgqueue.l_template_log l
                           where l.msg_id >= v_next and l.msg_id < v_next + qty and l.msg_id <= v_edge and l.xmax = 0 order by l.msg_id);
        else
            v_ids := array(select m.msg_id from pgqueue.m_template_log m
                           where m.msg_id >= v_next and m.msg_id < v_next + qty and m.msg_id <= v_edge and m.xmax = 0 order by m.msg_id);
        end if;
        if cardinality(v_ids) < qty then
            v_next := least((select l.msg_id from pgqueue.l_template_log l where l.msg_id >= v_next order by l.msg_id limit 1),
                            (select m.msg_id from pgqueue.m_template_log m where m.msg_id >= v_next order by m.msg_id limit 1));
            v_edge := least(v_next | 131071, v_next + 999);
            -- What can be locked is not being deleted: an xmax stays for ever where somebody deleted and rolled back.
            v_ids := array(
                select o.id
                from (select l.msg_id as id from pgqueue.l_template_log l where l.msg_id >= v_next and l.msg_id <= v_edge and l.xmax = 0 order by l.msg_id limit qty) o
                union all select o.id
                from (select m.msg_id as id from pgqueue.m_template_log m where m.msg_id >= v_next and m.msg_id <= v_edge and m.xmax = 0 order by m.msg_id limit qty) o
                union all select o.id
                from (select l.msg_id as id from pgqueue.l_template_log l where l.msg_id >= v_next and l.msg_id <= v_edge and l.xmax <> 0
                      order by l.msg_id limit qty for update skip locked) o
                union all select o.id
                from (select m.msg_id as id from pgqueue.m_template_log m where m.msg_id >= v_next and m.msg_id <= v_edge and m.xmax <> 0
                      order by m.msg_id limit qty for update skip locked) o
                order by id limit qty);
            -- A gap whose neighbour is no older than 50 ms ends the batch: its sender is about to commit. Never if it comes first.
            if v_ids[cardinality(v_ids)] - v_ids[1] >= cardinality(v_ids) then
                v_gap := (pgqueue.gaps__template_log(v_ids[1] || v_ids))[1];
                v_place := (select min(u.place) from unnest(v_ids) with ordinality u(id, place) where u.id > v_gap);
                if exists (select from pgqueue.l_template_log l where l.msg_id = v_ids[v_place] and l.enqueued_at > due - c_fresh
                           union all select from pgqueue.m_template_log m where m.msg_id = v_ids[v_place] and m.enqueued_at > due - c_fresh) then
                    v_ids := v_ids[: v_place - 1];
                end if;
            end if;
        end if;
        if v_ids <> '{}' then
            v_xid := pg_current_xact_id(); -- before the cursor moves: sweep must be able to tell that this reader is still open
            v_next := setval('pgqueue.u_template_log', v_ids[cardinality(v_ids)]);
        end if;
        raise exception using errcode = 'UNDO0';
    exception when sqlstate 'UNDO0' then
        return v_cursor || nullif(v_ids, '{}');
    end;
end
$$;
