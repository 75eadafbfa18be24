"""Barriers and claims made by hand, on top of a chronicle."""

from __future__ import annotations

from typing import Any

from tests.torture.verdict.chronicle import HASH, QUEUE, Chronicle

PRODUCER, A, B = "producer-0.1", "consumer-0.1", "consumer-1.1"
LONG_MS = 1_000_000


class Fanned(Chronicle):
    """A run in which barriers are armed and claims taken. The rows of the server are written beside each call."""

    def __init__(self) -> None:
        super().__init__()
        self.config["coordination"] = True
        self.config["stuck_us"] = 10**10
        self.tables |= {"barriers": [], "coordination": []}

    # --- barriers

    def arm(
        self, parts: int = 2, *, generation: int = 7, key: str = "b", end: str = "ok", exists: bool = True,
        failure: bool = False, policy: str = "abort", deadline: int = LONG_MS, replaces: bool = False, p: str = PRODUCER,
    ) -> dict[str, Any]:  # fmt: skip
        """Arm a barrier whose parts are p0 (msg_id 100), p1 (101) ...; return its row."""
        sends = [[QUEUE, f"p{n}", HASH, "plain"] for n in range(parts)]
        row: dict[str, Any] = {
            "generation": generation, "key": key, "state": "live", "policy": policy, "callback_uid": "done",
            "failure_uid": "failed" if failure else None, "db_deadline": (self.now + deadline) * 1000, "db_ended": None,
            "reason": "", "members": [[n, QUEUE, 100 + n, "open"] for n in range(parts)],
        }  # fmt: skip
        if exists:
            self.tables["barriers"].append(row)
            self.turn(row, "live")
        result: dict[str, Any] = {"generation": generation} if end == "ok" else {}
        self.op(
            p, "arm", result=result, end=end, barrier=key, policy=policy, fire_empty=False, new_generation=replaces,
            parts=sends, callback=[QUEUE, "done", HASH, "plain"],
            failure=[QUEUE, "failed", HASH, "plain"] if failure else None,
        )  # fmt: skip
        return row

    def turn(self, row: dict[str, Any], state: str) -> None:
        """Let a barrier turn to a state, as the server notes it."""
        before = next(
            (one["to"] for one in reversed(self.tables["coordination"]) if self._is_turn(one, row)), None
        )
        row["state"] = state
        if state != "live":
            row["db_ended"] = self.now * 1000
        self._event("turn", generation=row["generation"], **{"from": before, "to": state})

    def fire(
        self, row: dict[str, Any], uid: str = "done", *, msg_id: int = 200, still_open: int | None = None
    ) -> None:
        """Let the server send the message of an end."""
        number = sum(state == "open" for *_, state in row["members"]) if still_open is None else still_open
        self._event("fired", generation=row["generation"], queue=QUEUE, msg_id=msg_id, uid=uid, open=number)

    def part(self, row: dict[str, Any], number: int, p: str = A, state: str = "done") -> None:
        """Handle a part and let it arrive."""
        self.done_as(p, 100 + number, f"p{number}")
        row["members"][number][3] = state

    def done_as(self, p: str, msg_id: int, uid: str, **more: Any) -> None:
        """Read a message of this uid, run it and ack it."""
        self.claim(p, msg_id, msg_id * 10, uid=uid)
        invoke = self.run(p, msg_id, msg_id * 10, uid=uid)
        invoke.update(more)
        self.ack(p, msg_id, msg_id * 10)

    def all_done(self, row: dict[str, Any]) -> None:
        """Handle all parts, send the callback and handle it."""
        for number in range(len(row["members"])):
            self.part(row, number)
        self.turn(row, "done")
        self.fire(row)
        self.done_as(B, 200, "done", from_barrier=row["generation"])

    # --- claims

    def take(
        self, token: int, *, lease: int = 1000, p: str = A, at: int | None = None, answered: bool = True
    ) -> None:
        """Take the claim k, as the server notes it."""
        since = self.now if at is None else at
        self.version(token, "running", since, since + lease)
        if answered:
            self.call(p, "try_claim", answer=token)

    def version(self, token: int, state: str, since: int, until: int) -> None:
        self._event(
            "claim",
            name="n",
            key="k",
            token=token,
            state=state,
            holder=f"u{token}",
            db_from=since * 1000,
            db_until=until * 1000,
        )

    def call(self, p: str, op: str, *, token: int | None = None, end: str = "ok", answer: Any = None) -> None:
        self.op(
            p, op, result={"answer": answer} if end == "ok" else {}, end=end, name="n", key="k", token=token
        )

    def leave(self, token: int, *, p: str = A) -> None:
        """Leave the tombstone."""
        self.version(token, "done", self.now, self.now + LONG_MS)
        self.call(p, "finish_claim", token=token)

    def _event(self, what: str, **told: Any) -> None:
        rows = self.tables["coordination"]
        rows.append({"seq": len(rows) + 1, "what": what, "db_at": self.now * 1000} | told)

    @staticmethod
    def _is_turn(event: dict[str, Any], row: dict[str, Any]) -> bool:
        return (event["what"], event.get("generation")) == ("turn", row["generation"])
