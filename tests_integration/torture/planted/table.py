"""The mutants: what is broken, under which profile, and by which check it has to be caught."""

from __future__ import annotations

from dataclasses import dataclass

PATCHES = "tests_integration.torture.planted.patches"


@dataclass(frozen=True, slots=True)
class Change:
    """In the SQL function `function` of every queue, `old` becomes `new`; it is an error if `old` is not there."""

    function: str
    old: str
    new: str

    def sql(self) -> str:
        old, new = _quoted(self.old), _quoted(self.new)
        return f"""
do $mutant$
declare
    v_text constant text := pg_get_functiondef('pgqueue.{self.function}__{{queue}}'::regproc);
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
)  # fmt: skip
