-- why: replies to requests, and continuations
-- breaking: no
-- transaction: yes

create table pgqueue.reply (
    reply_id     uuid        not null,
    queue        text        not null,
    msg_id       bigint      not null,
    state        text        not null default 'waiting' check (state in ('waiting', 'done', 'failed')),
    ttl          interval    not null,
    requested_at timestamptz not null,
    expires_at   timestamptz not null,
    ended_at     timestamptz,
    reason       text,
    error        text,
    result       jsonb,
    constraint ix_reply_pkey primary key (reply_id),
    constraint ix_reply_message unique (queue, msg_id)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
create index ix_reply_expiry on pgqueue.reply (expires_at);
comment on table pgqueue.reply is 'One row a request: waiting, or how its message ended. Kept until expires_at: ttl after the request, and ttl again after the end.';
