create or replace view pgqueue.barriers as
select b.key, b.generation, b.state, b.policy, b.parts, b.parts - b.open - b.failed as done, b.failed, b.open,
       case when b.parts = 0 then 1 else round((b.parts - b.open)::numeric / b.parts, 4) end as progress,
       b.armed_at, b.last_progress_at, b.deadline_at, b.last_progress_at + b.stall_after as stalls_at, b.ended_at, b.reason,
       b.callback_queue, b.callback_msg_id, b.callback_finished_at, b.kept_until
from pgqueue.barrier b;
comment on view pgqueue.barriers is 'One row a run of a barrier, with its progress; who is missing: pgqueue.barrier_missing(key).';
