create or replace function pgqueue.floor__template_log(hint bigint, due timestamptz)
returns timestamptz
language plpgsql
as $$
-- From where both claim indexes have to be read, the row side's and that of c_: one bound for the two, as for the row kind.
-- hint: what f_ holds. Returns: a lower bound of vt. Sets: f_.
declare
    v_floor timestamptz := pgqueue.decode_floor(hint, due);
    v_from timestamptz := '-infinity';
    v_ms constant bigint := extract(epoch from due) * 1000;
    v_begin timestamptz;
    v_took interval;
    v_set bigint;
begin
    if v_floor is not null then
        return v_floor;
    end if;
    if hint > 0 then
        if v_ms % 5000 >= 100 then
            v_from := coalesce(pgqueue.decode_floor(hint, due - interval '1 s'), '-infinity');
        end if;
        -- The others go on with the old one meanwhile.
        v_set := setval('pgqueue.f_template_log', pgqueue.encode_floor(pgqueue.decode_floor(hint, '-infinity'), due + interval '1 s'));
    end if;
    v_begin := pgqueue.clock();
    v_floor := least(due, (select r.vt from pgqueue.r_template_log r where r.priority = 0 and r.vt >= v_from and r.vt <= due order by r.vt, (r.msg_id + 0) limit 1),
                     (select c.vt from pgqueue.c_template_log c where c.vt >= v_from and c.vt <= due order by c.vt, c.lo limit 1));
    v_took := pgqueue.clock() - v_begin;
    if v_took > interval '0.1 ms' or v_from > '-infinity' then
        v_set := setval('pgqueue.f_template_log', pgqueue.encode_floor(least(v_floor, due - interval '0.1 s'), v_begin + interval '0.05 s'));
    elsif hint > 0 then
        v_set := setval('pgqueue.f_template_log', 0);
    end if;
    return v_floor;
end
$$;
