"""The mutants: what is broken, under which profile, and by which check it has to be caught."""

from __future__ import annotations

from dataclasses import dataclass

PATCHES = "tests_integration.torture.planted.patches"


@dataclass(frozen=True, slots=True)
class Change:
    """In the SQL function `function` of every queue, `old` becomes `new`; it is an error if `old` is not there.

    `shared`: the function is no queue's, so the run must have one queue.
    """

    function: str
    old: str
    new: str
    shared: bool = False

    def sql(self) -> str:
        old, new = _quoted(self.old), _quoted(self.new)
        name = self.function if self.shared else f"{self.function}__{{queue}}"
        return f"""
do $mutant$
declare
    v_text constant text := pg_get_functiondef('pgqueue.{name}'::regproc);
begin
    if position({old} in v_text) = 0 then
        raise exception 'nothing to break in {self.function}';
    end if;
    execute replace(v_text, {old}, {new});
end
$mutant$;
"""


@dataclass(frozen=True, slots=True)
class Mutant:
    """`caught_by`: one of these violations has to be found. `patch`: a function of `patches`. `more`: further options."""

    name: str
    what: str
    profile: str
    caught_by: tuple[str, ...]
    changes: tuple[Change, ...] = ()
    patch: str = ""
    seconds: int = 25
    seed: int = 1
    kind: str = "row"
    more: tuple[str, ...] = ()

    def sql(self) -> str:
        return "".join(change.sql() for change in self.changes)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


UNFENCED = tuple(
    Change(function, "v_receipts is null or", "true or v_receipts is null or")
    for function in ("delete_batch", "archive_batch", "set_vt_batch")
)

EVERY_ACK_ARRIVES = Change(
    "barrier_ack", "where v_stale is null or u.msg_id <> all (v_stale)", "where true", shared=True
)
ENDED_PARTS_END_AGAIN = Change("end_parts", "and p.state = 'open'", "", shared=True)
OUTBOX = Change(
    "end_parts", "perform pgqueue.fire_barrier(v_barrier.generation);",
    "insert into public.to_fire values (v_barrier.generation);", shared=True,
)  # fmt: skip
ASKS_AGAIN = " and x.state = 'live' and (x.deadline_at <= now or x.last_progress_at + x.stall_after <= now)"

MUTANTS = (
    Mutant(
        "claim_without_vt", "a read returns messages and leaves them visible", "calm", ("overlap",),
        (Change("read", "set vt = v_until, ", "set "),),
    ),
    Mutant("ack_before_the_handler", "what is read is acked before it is handled", "early_ack", ("lost",), kind="both"),
    Mutant(
        "settle_without_receipt", "ack and renewal look at the msg_id alone", "calm", ("late_effect",), UNFENCED,
        "settle_some_too_late",
    ),
    Mutant(
        "send_repeated_without_key", "a send without a key is repeated after a lost reply", "net", ("doubled",),
        patch="repeat_sends_without_a_key", seconds=30, kind="both",
    ),
    Mutant(
        "wake_up_by_notify_only", "nobody polls", "kills", ("stuck",), patch="wake_up_by_notify_only", kind="both",
    ),
    Mutant(
        "hidden_asynchronous_commit", "a setting of the role turns synchronous_commit off", "relaxed", ("lost",),
        kind="both",
    ),
    Mutant(
        "renewal_by_the_clients_clock", "a renewal counts from a clock that is 2.8 s behind", "clock", ("overlap",),
        (Change("set_vt_batch", "v_until := pgqueue.clock() + v_vt", "v_until := pgqueue.clock() + v_vt - interval '2.8 s'"),),
        seconds=30,
    ),
    Mutant(
        "poison_counted_in_python", "reads are counted when they are settled, not when they are made", "poison",
        ("unbounded",),
        (
            Change("read", "read_ct = r.read_ct + 1,", "read_ct = r.read_ct,"),
            Change("retry_batch", "receipt = null,", "receipt = null, read_ct = r.read_ct + 1,"),
        ),
        seconds=30, more=("--no-supervisor",),
    ),
    Mutant(
        "decrement_without_dedup", "a part counts down with every ack, whether it had ended or not", "barrier",
        ("callback_too_early",), (EVERY_ACK_ARRIVES, ENDED_PARTS_END_AGAIN), "settle_some_twice",
    ),
    Mutant(
        "callback_after_the_commit", "the callback is sent by a second transaction after the last arrival", "barrier",
        ("callbacks",), (OUTBOX,), "fire_from_an_outbox",
    ),
    Mutant(
        "reaper_without_recheck", "the sweep expires what it has read as live, without asking again", "barrier",
        ("barrier_ends",),
        (
            Change("sweep_barrier", ASKS_AGAIN, "", shared=True),
            Change("sweep_barrier", "        update pgqueue.barrier x\n        set expiring",
                   "        perform pg_sleep(1);\n        update pgqueue.barrier x\n        set expiring", shared=True),
        ),
        seconds=30,
    ),
    Mutant(
        "claim_without_its_lease", "a claim is taken whoever holds it and for however long", "claim", ("two_owners",),
        (Change("try_claim", "where c.state = 'free' or c.expires_at <= v_now",
                "where c.state <> 'done' or c.expires_at <= v_now", shared=True),),
        seconds=20,
    ),
    Mutant(
        "skipped_while_it_is_held", "who finds a claim held takes its work for done", "claim", ("claim_undone",),
        patch="skip_what_is_held", seconds=40, kind="both",
    ),
    Mutant(
        "slot_advanced_apart", "the message of a slot is sent by one transaction, the schedule advanced by another",
        "cron", ("slots",),
        (Change("fire_schedule", "v_ids := pgqueue.send_slots(s, slots);", "v_ids := '{}';", shared=True),),
        "send_slots_first", seconds=30,
    ),
    Mutant(
        "leader_without_its_lease", "whoever asks leads", "leader", ("two_leaders",),
        (
            Change("try_lead", "if v_leader.holder <> v_holder and v_leader.expires_at > v_now then", "if false then",
                   shared=True),
            Change("try_lead", "where l.holder is null or l.holder = v_holder or l.expires_at <= v_now", "", shared=True),
        ),
        seconds=20,
    ),
)  # fmt: skip
