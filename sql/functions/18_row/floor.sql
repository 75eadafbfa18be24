create or replace function pgqueue.floor__template_queue(hint bigint, due timestamptz)
returns timestamptz
language plpgsql
as $$
-- From where the claim index has to be read. While a snapshot is held, deleted entries stay at its low end and each read would walk over
-- all of them: pgmq's shape falls to a few hundredths of its speed that way. So once that walk takes over 0.2 ms, its end is
-- remembered for a second, or for twenty times as long as it took, in a sequence: no lock, no WAL, no transaction. It is only ever a
-- hint. A message that appears below it (its sender's transaction was over a second long) waits until the walk is done again.
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
        v_set := setval('pgqueue.f_template_queue', pgqueue.encode_floor(pgqueue.decode_floor(hint, '-infinity'), due + interval '1 s'));
    end if;
    v_begin := pgqueue.clock();
    select r.vt into v_floor from pgqueue.r_template_queue r where r.priority = 0 order by r.vt, (r.msg_id + 0) limit 1;
    v_took := pgqueue.clock() - v_begin;
    v_floor := least(v_floor, due);
    if v_took > interval '0.2 ms' then
        v_set := setval('pgqueue.f_template_queue',
                        pgqueue.encode_floor(least(v_floor, due - interval '1 s'), v_begin + greatest(interval '1 s', 20 * v_took)));
    elsif hint > 0 then
        v_set := setval('pgqueue.f_template_queue', 0);
    end if;
    return v_floor;
end
$$;
