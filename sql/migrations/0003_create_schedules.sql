-- why: schedules, whose due slots are sent as messages
-- breaking: no
-- transaction: yes

create table pgqueue.schedule (
    name          text        not null check (octet_length(name) between 1 and 255),
    queue         text        not null,
    cron          text        not null check (octet_length(cron) between 1 and 255),
    timezone      text        not null check (octet_length(timezone) between 1 and 64),
    message       jsonb       not null,
    headers       jsonb,
    group_key     text,
    priority      integer     not null default 0,
    catch_up      text        not null default 'latest' check (catch_up in ('skip', 'latest', 'all')),
    catch_up_most integer     not null default 100 check (catch_up_most between 1 and 1000),
    jitter        interval    not null default '0' check (jitter >= '0' and jitter <= '1 hour'),
    enabled       boolean     not null default true,
    error         text,
    paused_at     timestamptz,
    paused_by     text,
    pause_reason  text,
    planned       text,
    next_at       timestamptz,
    due_at        timestamptz,
    look_at       timestamptz generated always as (
                      case when not enabled or paused_at is not null then null
                           when planned is distinct from cron || ' ' || timezone then 'epoch'
                           else due_at end) stored,
    last_slot     timestamptz,
    last_fired_at timestamptz,
    last_msg_id   bigint,
    fired         bigint      not null default 0,
    missed_from   timestamptz,
    missed_until  timestamptz,
    created_at    timestamptz not null,
    changed_at    timestamptz not null,
    constraint ix_schedule_pkey primary key (name)
);
create index ix_schedule_look on pgqueue.schedule (look_at) where look_at is not null;
comment on table pgqueue.schedule is 'One row a schedule. next_at is the slot to be fired at due_at (jitter), by the rule in planned; while that is not the rule of the row, the next scheduler plans anew. look_at: when a scheduler has to look, null for never.';
