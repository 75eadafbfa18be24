create or replace function pgqueue.gaps__template_log(taken bigint[])
returns bigint[]
language plpgsql
as $$
-- What is missing between where the cursor stood (the first element) and the last id taken, and is not on the row side either: the ids
-- of senders that have not committed or have rolled back. Inside the claim all of them (it is at most 1,000 ids wide), before its first id
-- the nearest 500: the others are under no claim, so sweep finds them.
-- Returns: the ids in order; none missing: null.
declare
    v_gaps bigint[];
begin
    v_gaps := array(select g from generate_series(greatest(taken[1] + 1, taken[2] - 500), taken[cardinality(taken)]) g
                    where g not in (select unnest(taken)) order by g);
    return nullif(array(select g from unnest(v_gaps) g where g not in (
        select r.msg_id from pgqueue.r_template_log r where r.msg_id = any (v_gaps)) order by g), '{}');
end
$$;
