create or replace function pgqueue.before_burial_reply()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- What a death owes, in its transaction, whoever buries (a verb, the hard cap of read, an operator): the error reply, and the message
-- on_error. An on_error that can't be sent keeps nobody alive: the dead letter's error then says so.
-- Returns: the dead letter. Writes, locks: as end_reply, as send.
declare
    v_queue constant text := substr(tg_table_name, 3);
    v_code text;
    v_problem text;
begin
    if new.headers ? 'pgqueue-reply' then
        perform pgqueue.end_reply(v_queue, new.msg_id, 'failed', null, new.reason, new.error);
    end if;
    if new.headers ? 'pgqueue-on-error' then
        begin
            -- What is told is cut: it must fit beside the other headers.
            perform pgqueue.send_continuation('on_error', new.headers -> 'pgqueue-on-error', jsonb_strip_nulls(jsonb_build_object(
                'queue', v_queue, 'msg_id', new.msg_id, 'reason', left(new.reason, 100), 'error', left(new.error, 300),
                'key', left(new.headers ->> 'pgqueue-key', 255), 'scope', left(new.headers ->> 'pgqueue-scope', 255))), null);
        exception when others then
            get stacked diagnostics v_code = returned_sqlstate, v_problem = message_text;
            if not pgqueue.is_refusal(v_code) then
                raise;
            end if;
            new.error := pgqueue.clean_text(concat_ws('; ', left(new.error, 7000), format('on_error can''t be sent: %s', v_problem)));
        end;
    end if;
    return new;
end
$$;
