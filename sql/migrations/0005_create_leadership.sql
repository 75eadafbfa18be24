-- why: leases of chores, and when each chore last ran
-- breaking: no
-- transaction: yes

create sequence pgqueue.leader_token as bigint cache 1;
create table pgqueue.leader (
    name       text        not null,
    holder     text,
    token      bigint      not null,
    lease      interval    not null,
    elected_at timestamptz not null,
    renewed_at timestamptz not null,
    expires_at timestamptz not null,
    constraint ix_leader_pkey primary key (name)
) with (fillfactor = 50);
comment on table pgqueue.leader is 'One row a chore that one process does for all: who has its lease until expires_at; holder is null when it was given back. token rises with every election.';

create table pgqueue.sweep (
    chore          text        not null,
    every          interval    not null,
    holder         text        not null,
    token          bigint      not null,
    began_at       timestamptz not null,
    next_at        timestamptz not null,
    last_run_at    timestamptz,
    last_moved     bigint,
    total          bigint      not null default 0,
    runs           bigint      not null default 0,
    failures       integer     not null default 0,
    last_failed_at timestamptz,
    last_error     text,
    constraint ix_sweep_pkey primary key (chore)
) with (fillfactor = 50);
comment on table pgqueue.sweep is 'One row a chore of the reaper: when it is due, when it last ran and what it moved. failures: how many runs in a row have failed.';
