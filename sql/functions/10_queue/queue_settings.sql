create or replace function pgqueue.queue_settings(queue text)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
-- The effective settings of one queue, without counting its messages: what a worker asks every few seconds.
-- Returns: a JSON object with every setting. Raises: PQ001.
declare
    v_settings jsonb;
begin
    select pgqueue.effective_settings(q.settings) into v_settings from pgqueue.queue q where q.queue = queue_settings.queue;
    if v_settings is null then
        perform pgqueue.require_queue(queue);
    end if;
    return v_settings;
end
$$;
