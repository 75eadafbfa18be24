create or replace view pgqueue.leaders as
select l.name,
       case when l.holder is null then 'free' when l.expires_at <= (select pgqueue.clock()) then 'lapsed' else 'leads' end as state,
       l.holder, l.token, l.elected_at, l.renewed_at, l.expires_at
from pgqueue.leader l;
comment on view pgqueue.leaders is 'One row a chore that one process does for all: who leads, and until when.';
