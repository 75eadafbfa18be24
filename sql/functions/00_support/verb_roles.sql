create or replace function pgqueue.verb_roles(verb text)
returns text[]
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
-- Who may call what: the one table of rights, used for the shipped functions and for each queue's clones.
-- Returns: the roles; none for what only the owner and other functions call.
select case
    when $1 in ('send', 'send_batch', 'is_awaited', 'ring') then '{pgqueue_producer,pgqueue_operator}'::text[]
    when $1 in ('read', 'read_or_await', 'pop', 'delete', 'delete_batch', 'archive', 'archive_batch', 'release', 'release_batch', 'set_vt', 'set_vt_batch',
                'retry', 'retry_batch', 'bury', 'bury_batch', 'begin_step', 'maintain') then '{pgqueue_consumer,pgqueue_operator}'
    when $1 in ('create_queue', 'drop_queue', 'purge_queue', 'configure_queue', 'pause_queue', 'resume_queue', 'redrive') then '{pgqueue_operator}'
    when $1 in ('barrier_arm', 'barrier_add', 'request', 'chain') then '{pgqueue_producer,pgqueue_operator}'
    when $1 in ('barrier_arrive', 'barrier_fail', 'barrier_ack', 'barrier_bury', 'barrier_callback', 'barrier_finish', 'barrier_sweep', 'barrier_forget',
                'forget_claims', 'ack_with', 'forget_replies') then '{pgqueue_consumer,pgqueue_operator}'
    when $1 in ('barrier_abort', 'barrier_ring', 'try_claim', 'renew_claim', 'finish_claim', 'release_claim', 'claim_wait', 'get_reply')
        then '{pgqueue_producer,pgqueue_consumer,pgqueue_operator}'
    when $1 in ('barrier_results', 'barrier_missing') then '{pgqueue_consumer,pgqueue_observer,pgqueue_operator}'
    when $1 in ('try_lead', 'renew_lead', 'resign_lead', 'begin_sweep', 'end_sweep', 'swept_queues', 'forget_finished') then '{pgqueue_consumer,pgqueue_operator}'
    when $1 in ('set_schedule', 'pause_schedule', 'resume_schedule', 'delete_schedule', 'fire_schedule_now') then '{pgqueue_operator}'
    when $1 in ('due_schedules', 'fire_schedule', 'disable_schedule', 'schedule_ring') then '{pgqueue_consumer,pgqueue_operator}'
    when $1 in ('peek') then '{pgqueue_observer,pgqueue_operator}'
    when $1 in ('list_queues', 'metrics', 'queue_settings', 'pause_of', 'depth', 'clock') then '{pgqueue_consumer,pgqueue_observer,pgqueue_operator}'
    when $1 in ('schema_version', 'require_queue', 'effective_settings', 'default_settings', 'fault', 'quoted', 'check_queue_name')
        then '{pgqueue_producer,pgqueue_consumer,pgqueue_observer,pgqueue_operator}'
    else '{}'
end
$$;
