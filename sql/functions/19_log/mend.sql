create or replace function pgqueue.mend__template_log(due timestamptz)
returns integer
language plpgsql
as $$
-- Messages whose senders committed after the cursor had passed them go to the row side, due: what a read does that is about to come
-- back short. Looks at twenty claims with gaps, from the first or from a random one on, so that a long writer's gaps keep nobody
-- waiting behind them.
-- Returns: how many moved. Writes: l_, m_, c_(gaps), r_. Locks: claims with gaps, then messages; locked ones are skipped.
declare
    v_from bigint;
    v_claim record;
    v_found bigint[];
    v_moved integer := 0;
begin
    select c.lo into v_from from pgqueue.c_template_log c where c.gaps is not null order by c.lo limit 1;
    if found then
        if random() < 0.5 and (select count(*) from (select from pgqueue.c_template_log c where c.gaps is not null limit 21) c) > 20 then
            v_from := v_from + floor(random() * (pg_sequence_last_value('pgqueue.u_template_log'::regclass) - v_from + 1));
        end if;
        for v_claim in
            select c.lo, c.gaps from pgqueue.c_template_log c where c.gaps is not null and c.lo >= v_from order by c.lo limit 20 for update skip locked
        loop
            v_found := pgqueue.set_aside__template_log(v_claim.gaps, due);
            if v_found <> '{}' then
                v_moved := v_moved + cardinality(v_found);
                update pgqueue.c_template_log c
                set gaps = nullif(array(select g from unnest(v_claim.gaps) g where g <> all (v_found)), '{}') where c.lo = v_claim.lo;
            end if;
        end loop;
    end if;
    return v_moved;
end
$$;
