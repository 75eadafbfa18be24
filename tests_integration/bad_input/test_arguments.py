"""The rows of the bad-input table that concern SQL: refused with a code, a reason and a cure; nothing is changed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests_integration.fixtures.verbs import Queue, configure_queue, create_queue, refused, scalar

BAD_VT: list[object] = [
    "0",
    "-1 day",
    "-5 s",
    "0.099 s",
    "24:00:00.000001",
    "10000000000",
    "infinity",
    "-infinity",
    "1 mon",
]
BAD_DELAY: list[object] = [None, "-1 s", "-0.000001", "366 days 00:00:00.000001", "10 years", "infinity"]
CASES: dict[str, tuple[str, dict[str, Any], list[dict[str, Any]]]] = {
    "qty of read": ("read", {}, [{"qty": qty} for qty in (0, -1, None, 1001, 10**9)]),
    "qty of pop": ("pop", {}, [{"qty": qty} for qty in (0, -1, None, 1001, 10**9)]),
    "vt of read": ("read", {}, [{"vt": vt} for vt in BAD_VT]),
    "vt of set_vt": ("set_vt", {"msg_id": 1}, [{"vt": vt} for vt in [None, *BAD_VT]]),
    "vt of set_vt_batch": ("set_vt_batch", {"msg_ids": [1]}, [{"vt": vt} for vt in [None, *BAD_VT]]),
    "delay of send": ("send", {"message": {}}, [{"delay": delay} for delay in BAD_DELAY]),
    "delay of send_batch": ("send_batch", {"messages": ["{}"]}, [{"delay": delay} for delay in BAD_DELAY]),
    "delay of retry": ("retry", {"msg_id": 1}, [{"delay": delay} for delay in BAD_DELAY]),
    "delays of retry_batch": ("retry_batch", {"msg_ids": [1]}, [{"delays": [delay]} for delay in BAD_DELAY]),
    "priority of send": ("send", {"message": {}}, [{"priority": p} for p in (-1, 10, None, 2**31 - 1)]),
    "priority of send_batch": (
        "send_batch",
        {"messages": ["{}"]},
        [{"priority": p} for p in (-1, 10, None)],
    ),
    "key": ("send", {"message": {}}, [{"key": key} for key in ("", "x" * 256, "x" * 10_240)]),
    "group_key": ("send", {"message": {}}, [{"group_key": key} for key in ("", "x" * 256, "x" * 10_240)]),
    "headers": (
        "send",
        {"message": {}},
        [
            {"headers": headers}
            for headers in (
                Jsonb([]),
                Jsonb("text"),
                Jsonb(5),
                Jsonb(None),
                {f"h{n}": n for n in range(65)},
                {"big": "x" * 16_384},
                {"pgqueue-task": "x"},
                {"pgqueue-redriven-from": 1},
                {"pgqueue-": 1},
            )
        ],
    ),
    "lengths": (
        "send_batch",
        {"messages": ["{}", "{}"]},
        [
            {"keys": ["k"]},
            {"headers": [None] * 3},
            {"group_keys": []},
            {"messages": [["{}", "{}"], ["{}", "{}"]]},
            {"messages": None},
        ],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_out_of_bounds_is_refused_and_changes_nothing(orders: Queue, case: str) -> None:
    verb, right, wrong = CASES[case]
    before = orders.look(1)
    for arguments in wrong:
        error = refused("PQ002", lambda more=arguments: orders.rows(verb, **right | more))  # type: ignore[misc]
        assert error.diag.message_hint, error
    assert orders.ids() == [1]
    assert orders.look(1) == before


def test_edges_are_taken(orders: Queue) -> None:
    edges: list[dict[str, Any]] = [
        {"delay": timedelta(0)},
        {"delay": timedelta(days=366)},
        {"priority": 9},
        {"key": "k"},
        {"key": "é" * 127},
        orders.ranked(group_key="x" * 255),
        {"headers": {f"h{n}": n for n in range(64)}},
        {"headers": {"pgqueue-key": "k", "pgqueue-scope": "s"}},
        {"headers": {}},
    ]
    for arguments in edges:
        assert orders.send(**arguments) > 1
    assert orders.read(qty=1000, vt=timedelta(hours=24))
    assert orders.read(qty=1, vt=timedelta(seconds=0.1)) == []


@pytest.mark.parametrize("verb", ["send", "send_batch"])
class TestPayloads:
    def send(self, orders: Queue, verb: str, text: str | None) -> object:
        if verb == "send":
            return orders.call("send", message=text)
        return orders.rows("send_batch", messages=[text])

    def test_sql_null_is_refused_and_json_null_is_a_message(self, orders: Queue, verb: str) -> None:
        refused("PQ003", lambda: self.send(orders, verb, None))
        self.send(orders, verb, "null")
        assert len(orders.ids()) == 2

    @pytest.mark.parametrize("text", ["", "{", "{'a': 1}", "NaN", '{"a": Infinity}', "undefined", "\\x00"])
    def test_what_is_not_json_is_refused_by_postgres(self, orders: Queue, verb: str, text: str) -> None:
        refused("22P02", lambda: self.send(orders, verb, text))
        assert orders.ids() == [1]

    @pytest.mark.parametrize(("text", "code"), [('"\\u0000"', "22P05"), ('"\\ud800"', "22P02")])
    def test_text_that_postgres_can_not_hold_is_refused(
        self, orders: Queue, verb: str, text: str, code: str
    ) -> None:
        refused(code, lambda: self.send(orders, verb, text))

    @pytest.mark.parametrize("limit", [10, 300, 5000])
    def test_size_is_refused_from_one_byte_over_the_limit(self, orders: Queue, verb: str, limit: int) -> None:
        configure_queue(orders.connection, "orders", payload_limit=limit)
        self.send(orders, verb, '"' + "x" * (limit - 2) + '"')
        for body in ("x" * (limit - 1), "é" * (limit // 2)):
            error = refused("PQ003", lambda body=body: self.send(orders, verb, f'"{body}"'))  # type: ignore[misc]
            assert str(limit) in (error.diag.message_primary or "")
        assert len(orders.ids()) == 2

    @pytest.mark.parametrize("shape", ["[{}]", '{{"a":{}}}'])
    def test_depth_is_refused_over_128_levels(self, orders: Queue, verb: str, shape: str) -> None:
        def nested(levels: int, core: str) -> str:
            text = core
            for _ in range(levels):
                text = shape.format(text)
            return text

        self.send(orders, verb, nested(128, "1"))
        self.send(orders, verb, nested(127, "[]"))
        for core in ("1", "[]", "{}", '"x"'):
            levels = 129 if core in ("1", '"x"') else 128
            error = refused("PQ003", lambda n=levels, c=core: self.send(orders, verb, nested(n, c)))  # type: ignore[misc]
            assert "$" in (error.diag.message_detail or "")
        refused("PQ003", lambda: self.send(orders, verb, nested(3000, "1")))
        assert len(orders.ids()) == 3

    def test_wide_and_bracketed_texts_are_taken(self, orders: Queue, verb: str) -> None:
        self.send(orders, verb, "[" + ",".join(["[]"] * 5000) + "]")
        self.send(orders, verb, '"' + "[{" * 3000 + '"')
        self.send(orders, verb, '"' + "1" * 5001 + '"')
        assert len(orders.ids()) == 4

    @pytest.mark.parametrize(
        ("text", "path"),
        [
            ('{"items": [1, {"when": 1e400}]}', "$.items[1].when"),
            ("[1, -1e309]", "$[1]"),
            ("9" * 5001, "$"),
            ('{"a": [[1.5e308, 2e308]]}', "$.a[0][1]"),
        ],
    )
    def test_number_that_no_double_holds_is_refused_with_its_path(
        self, orders: Queue, verb: str, text: str, path: str
    ) -> None:
        error = refused("PQ003", lambda: self.send(orders, verb, text))
        assert path in (error.diag.message_detail or "")

    @pytest.mark.parametrize(
        "text", ["1.797e308", "-1.797e308", "1e-400", "0", "123456789012345678901234567890"]
    )
    def test_large_and_tiny_numbers_are_taken(self, orders: Queue, verb: str, text: str) -> None:
        self.send(orders, verb, text)

    def test_last_of_doubled_keys_wins(self, orders: Queue, verb: str) -> None:
        self.send(orders, verb, '{"a": 1, "a": 2}')
        assert orders.read(qty=5)[-1].message == {"a": 2}


def test_setting_can_not_be_smuggled_into_a_function(db: psycopg.Connection) -> None:
    for settings in ({"vt": "1'; drop table x; --"}, {"-- setting: vt\n": 1}, {"hard_cap": 1}):
        refused("PQ002", lambda settings=settings: create_queue(db, "orders", **settings))  # type: ignore[misc]


def test_clones_of_the_template_hold_nobodys_messages(orders: Queue) -> None:
    assert scalar(orders.connection, "select count(*) from pgqueue.r_template_queue") == 0
