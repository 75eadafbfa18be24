create or replace function pgqueue.create_tables(queue text, first_id bigint)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $ddl$
-- The tables of one queue of kind row: r_ what waits or runs, k_ idempotency keys, a_ archive, d_ dead letters; the sequences s_ (cache
-- 1: ids never come from a session's store), f_ (a hint of read) and g_ (when rate_limit's bucket is full); the view q_ to select from.
-- vt is the second column of the one claim index, so a claim can't be a HOT update; what it buys is a read that never
-- walks over messages in flight or delayed. In both secondary indexes msg_id is an expression, so that msg_id = any (…)
-- can only use the primary key and a group only its own index: after VACUUM of a drained queue all indexes look
-- equally cheap, and the planner took any that held the column.
-- fillfactor leaves room for the leased version on the message's own page: a fifth less WAL in reads of 100, same speed.
-- vacuum_truncate is off: it would lock the table exclusively. Index names start with ix_, for r_orders_claim is the table of a queue orders_claim.
begin
    execute replace(replace($sql$
        create sequence pgqueue.s_template_queue as bigint start with FIRST_ID cache 1;
        create unlogged sequence pgqueue.f_template_queue as bigint minvalue 0 start with 0 cache 1;
        create sequence pgqueue.g_template_queue as bigint minvalue 0 start with 0 cache 1;
        create table pgqueue.r_template_queue (
            msg_id       bigint      not null,
            enqueued_at  timestamptz not null,
            vt           timestamptz not null,
            last_read_at timestamptz,
            receipt      bigint,
            read_ct      integer     not null default 0,
            release_ct   integer     not null default 0,
            priority     smallint    not null default 0,
            message      jsonb       not null,
            headers      jsonb,
            group_key    text,
            holder       text,
            error        text,
            constraint ix_r_template_queue_pkey primary key (msg_id)
        ) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
                autovacuum_analyze_scale_factor = 0.1, vacuum_truncate = false);
        create index ix_r_template_queue_claim on pgqueue.r_template_queue (priority desc, vt, (msg_id + 0));
        create index ix_r_template_queue_group on pgqueue.r_template_queue (group_key, (msg_id + 0)) where group_key is not null;
        create table pgqueue.k_template_queue (
            key          text        not null,
            msg_id       bigint      not null,
            payload_hash bigint      not null,
            expires_at   timestamptz not null,
            constraint ix_k_template_queue_pkey primary key (key)
        );
        create index ix_k_template_queue_expiry on pgqueue.k_template_queue (expires_at);
        create table pgqueue.a_template_queue (
            msg_id       bigint      not null,
            outcome      text        not null,
            archived_at  timestamptz not null,
            archived_by  text        not null,
            holder       text,
            enqueued_at  timestamptz not null,
            last_read_at timestamptz,
            read_ct      integer     not null,
            release_ct   integer     not null,
            priority     smallint    not null,
            group_key    text,
            error        text,
            message      jsonb       not null,
            headers      jsonb,
            constraint ix_a_template_queue_pkey primary key (msg_id)
        );
        create index ix_a_template_queue_age on pgqueue.a_template_queue (archived_at);
        create table pgqueue.d_template_queue (
            msg_id       bigint      not null,
            reason       text        not null,
            error        text,
            died_at      timestamptz not null,
            redriven_as  bigint,
            redriven_at  timestamptz,
            holder       text,
            enqueued_at  timestamptz not null,
            last_read_at timestamptz,
            read_ct      integer     not null,
            release_ct   integer     not null,
            priority     smallint    not null,
            group_key    text,
            message      jsonb       not null,
            headers      jsonb,
            constraint ix_d_template_queue_pkey primary key (msg_id)
        );
        create index ix_d_template_queue_waiting on pgqueue.d_template_queue (msg_id) where redriven_as is null;
        create index ix_d_template_queue_age on pgqueue.d_template_queue (died_at);
        create view pgqueue.q_template_queue as
        select r.msg_id,
               case when r.vt <= (select pgqueue.clock()) then 'ready'
                    when r.receipt is not null then 'in_flight'
                    when r.read_ct = 0 then 'delayed'
                    else 'retry' end as state,
               r.read_ct, r.release_ct, r.priority::integer as priority, r.group_key, r.enqueued_at, r.last_read_at, r.vt,
               r.holder, r.error, r.message, r.headers
        from pgqueue.r_template_queue r
    $sql$, 'template_queue', queue), 'FIRST_ID', first_id::text);
end
$ddl$;
