-- The application's own tables. billed, notified and handled are counters: an effect that took place twice would show.
drop schema if exists pgqueue_walk cascade;
create schema pgqueue_walk;
create table pgqueue_walk.execution (
    id       bigint  primary key,
    org      text    not null,
    status   text    not null default 'PENDING' check (status in ('PENDING', 'EXECUTING', 'COMPLETED', 'ERROR')),
    lines    integer,
    billed   integer not null default 0,
    notified integer not null default 0,
    accident text    not null default ''
);
create table pgqueue_walk.file (
    execution_id bigint  not null references pgqueue_walk.execution,
    path         text    not null,
    handled      integer not null default 0,
    primary key (execution_id, path)
);
-- What the handlers of an execution's messages answered, run by run.
create table pgqueue_walk.run (
    execution_id bigint      not null references pgqueue_walk.execution,
    task         text        not null,
    answer       text        not null,
    msg_id       bigint      not null,
    attempt      integer     not null,
    at           timestamptz not null default clock_timestamp()
);
