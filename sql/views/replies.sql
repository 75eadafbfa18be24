create or replace view pgqueue.replies as
select r.queue, r.msg_id, case when r.state = 'waiting' and r.expires_at <= (select pgqueue.clock()) then 'expired' else r.state end as state,
       r.requested_at, r.ended_at, r.expires_at, r.reason, r.error
from pgqueue.reply r;
comment on view pgqueue.replies is 'One row a request: waiting, done, failed or expired. The result itself is for whoever has the reply_id.';
