create or replace function pgqueue.part_outcome(key text, generation bigint, part integer, state text)
returns text
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
-- Say what a call that ends a part did, from the state that end_parts has answered (null: it changed nothing).
-- Returns: arrived (others are still open), fired (it was the last: the callback is sent), failed (the barrier has failed with it),
--   retried; again (the part had ended before), ended (the barrier is over), unknown (no such part).
select case when $4 is not null then case $4 when 'live' then 'arrived' when 'done' then 'fired' else $4 end
            when not exists (select from pgqueue.barrier_part p join pgqueue.barrier b on b.generation = p.generation
                             where p.generation = $2 and p.part = $3 and b.key = $1) then 'unknown'
            when (select b.state from pgqueue.barrier b where b.generation = $2) <> 'live' then 'ended'
            else 'again' end
$$;
