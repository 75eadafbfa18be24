create or replace view pgqueue.claims as
select c.name, c.key,
       case when c.state = 'running' and c.expires_at <= (select pgqueue.clock()) then 'lapsed' else c.state end as state,
       c.token, c.holder, c.takeovers, c.claimed_at, c.expires_at, c.done_at
from pgqueue.claim c;
comment on view pgqueue.claims is 'One row a claimed key: running, lapsed or free (to be had), or done (refused until expires_at).';
