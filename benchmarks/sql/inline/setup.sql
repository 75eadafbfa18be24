-- pgmq's table and statements without its functions: what static, prepared SQL alone would give it.
-- bench_inline_hot drops the index on vt and leaves room in the pages, so that a claim is a HOT update.
create schema bench_inline_vt;
create table bench_inline_vt.messages (
    msg_id       bigint      generated always as identity primary key,
    read_ct      integer     not null default 0,
    enqueued_at  timestamptz not null default now(),
    last_read_at timestamptz,
    vt           timestamptz not null,
    message      jsonb,
    headers      jsonb
);
create schema bench_inline_hot;
create table bench_inline_hot.messages (like bench_inline_vt.messages including all) with (fillfactor = 60);
create index messages_vt on bench_inline_vt.messages (vt);
