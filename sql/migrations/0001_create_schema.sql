-- why: the first tables and types: what was applied, which queues there are, the shape of a read message
-- breaking: no
-- transaction: yes

create schema if not exists pgqueue;

create table pgqueue.migration (
    version         integer     primary key,
    name            text        not null,
    checksum        text        not null,
    breaking        boolean     not null,
    package_version text        not null,
    applied_at      timestamptz not null
);
comment on table pgqueue.migration is 'One row a migration file that was applied; files are never edited afterwards (checksum).';

create table pgqueue.applied_functions (
    only_row        boolean     primary key default true check (only_row),
    checksum        text        not null,
    package_version text        not null,
    applied_at      timestamptz not null
);
comment on table pgqueue.applied_functions is 'The checksum of the function files that stand in the database now.';

create table pgqueue.queue (
    queue      text        primary key check (queue ~ '^[a-z][a-z0-9_]{0,46}$'),
    kind       text        not null,
    settings   jsonb       not null,
    created_at timestamptz not null
);
comment on table pgqueue.queue is 'One row a queue. settings holds what differs from pgqueue.default_settings(); change it with configure_queue.';

create table pgqueue.paused_queue (
    queue     text        constraint ix_paused_queue_pkey primary key,
    paused_at timestamptz not null,
    paused_by text        not null,
    reason    text        not null,
    until     timestamptz
);
comment on table pgqueue.paused_queue is 'One row a queue that hands out nothing, until then or (null) until resume_queue; made by pause_queue.';

create table pgqueue.dropped_queue (
    queue       text        primary key,
    last_msg_id bigint      not null,
    dropped_at  timestamptz not null
);
comment on table pgqueue.dropped_queue is 'High-water marks: a queue made again under the name goes on above last_msg_id.';

create table pgqueue.step (
    queue   text        not null,
    msg_id  bigint      not null,
    step    text        not null,
    done_at timestamptz not null,
    constraint ix_step_pkey primary key (queue, msg_id, step)
);
comment on table pgqueue.step is 'One row a step that a message has done; no step is done twice. Removed by maintain once the message is gone.';

create type pgqueue.message as (
    msg_id       bigint,
    read_ct      integer,
    enqueued_at  timestamptz,
    last_read_at timestamptz,
    vt           timestamptz,
    message      jsonb,
    headers      jsonb,
    receipt      bigint,
    release_ct   integer,
    priority     integer,
    group_key    text
);
comment on type pgqueue.message is 'A message as read hands it out; receipt proves the lease.';

-- The three views over all queues start empty and are rewritten by pgqueue.refresh_views() with one arm a queue; they exist here because functions return their row types.
create view pgqueue.messages as
select null::text as queue, null::bigint as msg_id, null::text as state, null::integer as read_ct, null::integer as release_ct,
       null::integer as priority, null::text as group_key, null::timestamptz as enqueued_at, null::timestamptz as last_read_at,
       null::timestamptz as vt, null::text as holder, null::text as error, null::jsonb as message, null::jsonb as headers
where false;
comment on view pgqueue.messages is 'Every message of every queue that is not yet acked, archived or dead.';

create view pgqueue.dead_letters as
select null::text as queue, null::bigint as msg_id, null::text as reason, null::text as error, null::integer as read_ct,
       null::integer as release_ct, null::integer as priority, null::text as group_key, null::timestamptz as enqueued_at,
       null::timestamptz as last_read_at, null::text as holder, null::timestamptz as died_at, null::bigint as redriven_as,
       null::timestamptz as redriven_at, null::jsonb as message, null::jsonb as headers
where false;
comment on view pgqueue.dead_letters is 'Every dead letter of every queue; redriven_as names the message that it was sent again as.';

create view pgqueue.queues as
select null::text as queue, null::text as kind, null::bigint as depth, null::bigint as ready, null::bigint as delayed,
       null::bigint as in_flight, null::bigint as retrying, null::boolean as approx, null::bigint as dead,
       null::timestamptz as oldest_at, null::timestamptz as last_sent_at, null::bigint as last_msg_id,
       null::jsonb as settings, null::timestamptz as created_at, null::text as paused_by, null::text as pause_reason,
       null::timestamptz as paused_at, null::timestamptz as paused_until
where false;
comment on view pgqueue.queues is 'One row a queue: depth (exact up to 10,000, beyond that an estimate flagged approx), age, effective settings, and its pause.';
