create or replace function pgqueue.is_awaited__template_queue()
returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Say whether somebody waits for a message of the queue. Cheap enough to ask with every send; w_ holds until when somebody
-- waits, in ms since the epoch, 0 for nobody. Asked in the statement that sends, a waiter may still come before the commit:
-- its next poll finds the message.
-- Returns: true, and the sender rings after its commit.
declare
    v_until constant bigint := coalesce(pg_sequence_last_value('pgqueue.w_template_queue'), 0);
begin
    return v_until > 0 and v_until > extract(epoch from pgqueue.clock()) * 1000;
end
$$;
