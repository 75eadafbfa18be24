create or replace function pgqueue.lock_ddl()
returns void
language sql
set search_path = pg_catalog, pg_temp
as $$
-- One creator, dropper, configurer or migrator at a time, until the transaction ends.
-- THE LOCK ORDER OF THE HOUSE: 1. this lock · 2. the row in pgqueue.queue · 3. the views over all queues · 4. a queue's
-- tables · 5. group locks by number · 6. idempotency keys by key · 7. messages by msg_id · 8. dead letters by msg_id
-- · 9. parts by (generation, part) · 10. barriers by generation · 11. claims · 12. replies by msg_id · 13. schedules. What a barrier or a chain sends at its end is only inserted.
-- Locks: the advisory transaction lock hashtextextended('pgqueue.ddl', 0).
select pg_advisory_xact_lock(hashtextextended('pgqueue.ddl', 0))
$$;
