create or replace view pgqueue.schedules as
select s.name, s.queue,
       case when not s.enabled then 'disabled' when s.paused_at is not null then 'paused' when s.look_at = 'epoch' then 'new'
            when s.look_at < (select pgqueue.clock()) - interval '1 minute' then 'late' else 'active' end as state,
       s.cron, s.timezone, case when s.look_at > 'epoch' then s.next_at end as next_at, case when s.look_at > 'epoch' then s.due_at end as due_at,
       s.last_slot, s.last_fired_at, s.last_msg_id, s.fired, s.missed_from, s.missed_until, s.catch_up, s.catch_up_most, s.jitter, s.error,
       s.paused_at, s.paused_by, s.pause_reason, s.group_key, s.priority, s.message, s.headers, s.created_at, s.changed_at
from pgqueue.schedule s;
comment on view pgqueue.schedules is 'One row a schedule: active; new (not planned yet); late (due for over a minute: does a scheduler run?); paused; disabled (see error).';
