create or replace function pgqueue.ack_with(queue text, msg_ids bigint[], receipts bigint[] default null, results jsonb[] default null,
                                            archive boolean default false)
returns table (msg_id bigint, outcome text, sent boolean)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Ack messages with what each has brought, and give what their headers ask for: the reply, and the message on_success. All in one
-- transaction, for those whose ack was done; if one on_success can't be sent, none is acked. Serves for any message.
-- Returns: as delete_batch; sent: a continuation was sent. Writes: as delete_batch (archive: archive_batch), reply, as send.
-- Locks: messages, then replies, by msg_id. Raises: PQ001, PQ002, PQ003 (a result over 1 MiB), PQ014.
declare
    c_limit constant integer := 1048576;
    v_queue constant text := queue;
    v_owed record;
    v_ids bigint[];
    v_outcomes text[];
    v_done record;
    v_sent boolean := false;
    v_code text;
    v_problem text;
    v_hint text;
begin
    perform pgqueue.check_batch(msg_ids, receipts, cardinality(results));
    perform pgqueue.check_payload(u.r, c_limit, format('results[%s]', u.i)) from unnest(results) with ordinality u(r, i)
    where octet_length(u.r::text) > 256 and (octet_length(u.r::text) > c_limit or pgqueue.is_suspect(u.r));
    perform pgqueue.require_queue(v_queue);
    -- Before the ack takes them away.
    select array_agg(h.msg_id) as ids, array_agg(h.headers) as headers into v_owed from pgqueue.chained_headers(v_queue, msg_ids) h;
    execute format('select array_agg(b.msg_id), array_agg(b.outcome) from pgqueue.%I($1, $2) b', case when archive then 'archive_batch__' else 'delete_batch__' end || v_queue)
    into v_ids, v_outcomes using msg_ids, receipts;
    begin
        for v_done in
            select distinct on (o.msg_id) o.msg_id, o.headers, r.result
            from unnest(v_owed.ids, v_owed.headers) o(msg_id, headers)
            join unnest(v_ids, v_outcomes) a(msg_id, outcome) on a.msg_id = o.msg_id and a.outcome = 'done'
            join unnest(msg_ids, results) with ordinality r(msg_id, result, place) on r.msg_id = o.msg_id
            order by o.msg_id, r.place
        loop
            if v_done.headers ? 'pgqueue-reply' then
                perform pgqueue.end_reply(v_queue, v_done.msg_id, 'done', v_done.result, null, null);
            end if;
            if v_done.headers ? 'pgqueue-on-success' then
                perform pgqueue.send_continuation('on_success', v_done.headers -> 'pgqueue-on-success',
                                                  jsonb_build_object('queue', v_queue, 'msg_id', v_done.msg_id), v_done.result);
                v_sent := true;
            end if;
        end loop;
    exception when others then
        get stacked diagnostics v_code = returned_sqlstate, v_problem = message_text, v_hint = pg_exception_hint;
        if not pgqueue.is_refusal(v_code) then
            raise;
        end if;
        perform pgqueue.fault('PQ014', format('on_success of message %s of queue %s can''t be sent: %s', v_done.msg_id, pgqueue.quoted(v_queue), v_problem),
                              coalesce(nullif(v_hint, ''), 'Put right what it says; until then the message is tried again.'));
    end;
    return query select u.msg_id, u.outcome, v_sent from unnest(v_ids, v_outcomes) u(msg_id, outcome);
end
$$;
