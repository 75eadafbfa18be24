create or replace function pgqueue.floor__template_log(hint bigint, due timestamptz)
returns timestamptz
language plpgsql
as $$
-- From where both claim indexes have to be read, the row side's and that of c_: one bound for the two, as for the row kind.
-- hint: what f_ holds. Returns: a lower bound of vt. Sets: f_.
declare
    v_floor timestamptz := pgqueue.decode_floor(hint, due);
    v_begin timestamptz;
    v_took interval;
    v_set bigint;
begin
    if v_floor is not null then
        return v_floor;
    end if;
    if hint > 0 then
        -- The others go on with the old one meanwhile.
        v_set := setval('pgqueue.f_template_log', pgqueue.encode_floor(pgqueue.decode_floor(hint, '-infinity'), due + interval '1 s'));
    end if;
    v_begin := pgqueue.clock();
    select least((select r.vt from pgqueue.r_template_log r where r.priority = 0 order by r.vt, (r.msg_id + 0) limit 1),
                 (select c.vt from pgqueue.c_template_log c order by c.vt, c.lo limit 1)) into v_floor;
    v_took := pgqueue.clock() - v_begin;
    v_floor := least(v_floor, due);
    if v_took > interval '0.2 ms' then
        v_set := setval('pgqueue.f_template_log',
                        pgqueue.encode_floor(least(v_floor, due - interval '1 s'), v_begin + greatest(interval '1 s', 20 * v_took)));
    elsif hint > 0 then
        v_set := setval('pgqueue.f_template_log', 0);
    end if;
    return v_floor;
end
$$;
