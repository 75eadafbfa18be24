create or replace view pgqueue.queues as
select q.queue, q.kind, d.depth, d.ready, d.delayed, d.in_flight, d.retrying, d.approx, d.dead, d.oldest_at, d.last_sent_at, d.last_msg_id,
       pgqueue.effective_settings(q.settings) as settings, q.created_at, p.paused_by, p.reason as pause_reason, p.paused_at, p.until as paused_until
from pgqueue.queue q
cross join lateral pgqueue.depth(q.queue) d
left join lateral pgqueue.pause_of(q.queue) p on true;
