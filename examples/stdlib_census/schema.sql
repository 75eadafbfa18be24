-- The application's own tables. counted has a primary key and no "on conflict": a file that was handled twice would fail.
drop schema if exists pgqueue_demo cascade;
create schema pgqueue_demo;
create table pgqueue_demo.source_file (path text primary key, bytes bigint not null, msg_id bigint not null unique);
create table pgqueue_demo.counted (
    path      text primary key references pgqueue_demo.source_file,
    functions integer not null,
    classes   integer not null,
    nodes     integer not null,
    attempt   integer not null
);
