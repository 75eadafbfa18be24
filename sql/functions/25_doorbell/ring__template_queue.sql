create or replace function pgqueue.ring__template_queue()
returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Wake who waits for a message of the queue. To be called after the commit of what was sent, in a transaction of its own:
-- a notification takes a lock of the whole database until its transaction ends. Nobody waits any more afterwards, so of many
-- senders one rings; whoever was woken reads, and waits anew when there is nothing left.
-- Returns: whether somebody waited. Writes: w_, at once and for good; notifies the channel pgqueue_<queue>.
begin
    if pgqueue.is_awaited__template_queue() then
        perform setval('pgqueue.w_template_queue', 0), pg_notify('pgqueue_template_queue', '');
        return true;
    end if;
    return false;
end
$$;
