-- why: barriers, which wait for a set of parts, and claims on named keys
-- breaking: no
-- transaction: yes

create sequence pgqueue.barrier_generation as bigint cache 1;
create table pgqueue.barrier (
    generation           bigint      not null,
    key                  text        not null,
    state                text        not null check (state in ('live', 'done', 'failed', 'expired', 'aborted', 'replaced')),
    policy               text        not null check (policy in ('abort', 'collect', 'retry')),
    parts                integer     not null,
    open                 integer     not null,
    failed               integer     not null default 0,
    retries              integer     not null,
    armed_at             timestamptz not null,
    last_progress_at     timestamptz not null,
    deadline_at          timestamptz not null,
    stall_after          interval    not null,
    retention            interval    not null,
    check_at             timestamptz not null,
    checked_part         integer     not null default -1,
    expiring             text,
    ended_at             timestamptz,
    kept_until           timestamptz,
    reason               text,
    callback_queue       text,
    callback_msg_id      bigint,
    callback_finished_at timestamptz,
    callback             jsonb       not null,
    on_failure           jsonb,
    constraint ix_barrier_pkey primary key (generation),
    constraint barrier_counts check (open between 0 and parts and failed between 0 and parts)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
create unique index ix_barrier_live on pgqueue.barrier (key) where state = 'live';
create index ix_barrier_key on pgqueue.barrier (key, generation);
create index ix_barrier_check on pgqueue.barrier (check_at) where state = 'live';
create index ix_barrier_kept on pgqueue.barrier (kept_until) where state <> 'live';
comment on table pgqueue.barrier is 'One row a run of a barrier; generation is its number, which no other run has. open and failed count its parts. Every change of parts and barrier is made by the barrier functions.';

create table pgqueue.barrier_part (
    generation bigint  not null,
    part       integer not null,
    msg_id     bigint  not null,
    tries      integer not null default 0,
    state      text    not null default 'open' check (state in ('open', 'done', 'failed')),
    queue      text    not null,
    ended_at   timestamptz,
    error      text,
    result     jsonb,
    constraint ix_barrier_part_pkey primary key (generation, part)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.1, autovacuum_vacuum_threshold = 10000);
comment on table pgqueue.barrier_part is 'One row a part of a barrier: the message that does it, and how it ended. tries: how often it was sent again.';

create sequence pgqueue.claim_token as bigint cache 1;
create table pgqueue.claim (
    name       text        not null,
    key        text        not null,
    token      bigint      not null,
    state      text        not null check (state in ('running', 'free', 'done')),
    takeovers  integer     not null default 0,
    claimed_at timestamptz not null,
    expires_at timestamptz not null,
    done_at    timestamptz,
    holder     text,
    constraint ix_claim_pkey primary key (name, key)
);
create index ix_claim_expiry on pgqueue.claim (expires_at);
comment on table pgqueue.claim is 'One row a claimed key: running until expires_at (the lease), free, or done until expires_at (the tombstone). token rises with every claim.';
