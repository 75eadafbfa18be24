create or replace function pgqueue.floor__template_queue(hint bigint, due timestamptz)
returns timestamptz
language plpgsql
as $$
-- From where the claim index has to be read. While a snapshot is held, deleted entries stay at its low end and each read would walk over
-- all of them: pgmq's shape falls to a few hundredths of its speed that way. So once that walk takes over 0.1 ms, its end is
-- remembered in a sequence: no lock, no WAL, no transaction. For 0.1 s reads begin there, then one of them walks on from there; the
-- whole walk is done again once in each period of five seconds, and after one second in which nobody read; of an index over 20 MB less
-- often, for the walk must cost a small part of the time: a period of 2 ms a page, five minutes at most. It is only ever a hint: a
-- message that appears below it (its sender's transaction was over 0.1 s long) waits for the whole walk.
-- hint: what f_ holds. Returns: a lower bound of vt. Sets: f_.
declare
    -- One that is to be believed for seconds yet is from before the clock was set back: it would hide what is sent now.
    v_hint constant bigint := case when hint >> 28 > extract(epoch from due) * 10 + 20 then 0 else hint end;
    v_floor timestamptz := pgqueue.decode_floor(v_hint, due);
    v_from timestamptz := '-infinity';
    v_ms constant bigint := extract(epoch from due) * 1000;
    v_period bigint := 5000;
    v_phase integer := v_ms / v_period % 4;
    v_begin timestamptz;
    v_took interval;
    v_set bigint;
begin
    if v_floor is not null then
        return v_floor;
    end if;
    if v_hint > 0 then
        v_period := least(greatest(pg_relation_size('pgqueue.ix_r_template_queue_claim') / 4096, v_period), 300000);
        v_phase := v_ms / v_period % 4;
        if (v_hint >> 26 & 3) = v_phase then
            v_from := coalesce(pgqueue.decode_floor(v_hint, due - v_period * interval '0.2 ms'), '-infinity');
        end if;
        -- The others go on with the old one meanwhile.
        v_set := setval('pgqueue.f_template_queue', pgqueue.encode_floor(pgqueue.decode_floor(v_hint, '-infinity'), due + interval '1 s', v_phase));
    end if;
    v_begin := pgqueue.clock();
    v_floor := least(due, (select r.vt from pgqueue.r_template_queue r where r.priority = 0 and r.vt >= v_from and r.vt <= due order by r.vt, (r.msg_id + 0) limit 1));
    v_took := pgqueue.clock() - v_begin;
    if v_floor >= pgqueue.decode_floor(v_hint, '-infinity') and pg_sequence_last_value('pgqueue.f_template_queue'::regclass) <> v_set then
        null; -- a long walk that found nothing below: the others have moved on meanwhile
    elsif v_took > interval '0.1 ms' or v_from > '-infinity' then
        v_set := setval('pgqueue.f_template_queue', pgqueue.encode_floor(least(v_floor, due - interval '0.1 s'), v_begin + v_took + interval '0.05 s', v_phase));
    elsif hint > 0 then
        v_set := setval('pgqueue.f_template_queue', 0);
    end if;
    return v_floor;
end
$$;
