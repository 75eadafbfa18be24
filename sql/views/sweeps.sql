create or replace view pgqueue.sweeps as
select s.chore,
       case when s.failures > 0 then 'failing'
            when s.next_at + s.every + interval '1 minute' <= (select pgqueue.clock()) then 'late'
            else 'ok' end as state,
       s.holder, s.every, s.last_run_at, s.last_moved, s.total, s.runs, s.failures, s.last_failed_at, s.last_error, s.next_at
from pgqueue.sweep s;
comment on view pgqueue.sweeps is 'One row a chore of the reaper: when it last ran and what it moved, failures in a row, when it is due; late: no process maintains this database.';
