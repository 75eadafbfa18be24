-- The least that a queue over row locks can be: an id, a payload, one index.
create schema bench_floor;
create table bench_floor.messages (
    msg_id  bigint generated always as identity primary key,
    message jsonb  not null
);
