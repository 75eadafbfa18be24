select e.id, e.status,
       (select count(*) from pgqueue_walk.file f where f.execution_id = e.id and f.handled = 1)                      as handled_once,
       (select count(*) from pgqueue_walk.file f where f.execution_id = e.id and f.handled > 1)                      as handled_again,
       e.lines, e.billed, e.notified,
       (select coalesce(string_agg(r.answer, ', ' order by r.at), '-') from pgqueue_walk.run r
        where r.execution_id = e.id and r.task = 'orchestrate')                                                      as orchestrator,
       (select count(*) from pgqueue_walk.run r where r.execution_id = e.id and r.task = 'finish')                   as callback_runs,
       coalesce((select b.state from pgqueue.barriers b where b.key = 'execution-' || e.id order by b.generation desc limit 1), 'none') as barrier,
       (select c.state from pgqueue.claims c where c.name = 'demo.orchestrate' and c.key = e.id::text)               as claim
from pgqueue_walk.execution e
order by e.id
