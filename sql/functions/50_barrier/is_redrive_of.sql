create or replace function pgqueue.is_redrive_of(queue text, old_id bigint, new_id bigint)
returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
-- Whether one message is another one sent again from the dead letters, once or several times. Ids rise, so it ends.
-- Returns: true or false.
declare
    v_id bigint := old_id;
begin
    while v_id < new_id loop
        execute format('select d.redriven_as from pgqueue.%I d where d.msg_id = $1', 'd_' || queue) into v_id using v_id;
    end loop;
    return coalesce(v_id = new_id, false);
end
$$;
