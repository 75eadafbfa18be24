"""What a walk may do: values that collide often, so that short walks meet keys, groups and leases again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from hypothesis import strategies as st

from tests_integration.state_machine.engine import SqlEngine

NAMES = ("alpha", "beta")
LOW_CAP = {"max_reads": 1, "repark_budget": 1}
queues = st.sampled_from(("alpha", "alpha", "alpha", "beta"))
settings = st.sampled_from(
    (LOW_CAP, {}, {"vt": 10}, {"max_reads": 1, "repark_budget": 0}, {"key_window": 60})
)
changes = settings | st.sampled_from(({"vt": None}, {"max_reads": None, "vt": 90, "health_stale": 91}))
payloads = st.sampled_from(({"n": 1}, {"n": 2}, {"n": 1, "m": "é"}, None, [1, {"n": 1}]))
delays = st.sampled_from([timedelta(seconds=seconds) for seconds in (0, 0, 0, 40)])
keys = st.sampled_from((None, None, "k1", "k2"))
groups = st.sampled_from((None, None, "g1", "g2"))
priorities = st.sampled_from((0, 0, 0, 3, 9))
quantities = st.sampled_from((1, 2, 3, 100))
leases = st.sampled_from((None, None, timedelta(seconds=5), timedelta(seconds=60)))
receipts = st.sampled_from(("current", "current", "current", "none", "old", "foreign", "invented"))
verbs = st.sampled_from(("delete", "archive", "retry", "release", "set_vt", "bury"))
arguments = st.fixed_dictionaries(
    {
        "delay": st.sampled_from([timedelta(seconds=seconds) for seconds in (0, 7, 400)]),
        "vt": st.sampled_from([timedelta(seconds=seconds) for seconds in (9, 3600)]),
        "error": st.sampled_from((None, "boom", "worse")),
        "reason": st.sampled_from(("bad", "hopeless")),
    }
)
TAKES = {"retry": ("delay", "error"), "set_vt": ("vt",), "bury": ("reason", "error")}
BATCH_TAKES = TAKES | {"release": ("delay",)}

BAD: dict[str, Callable[[SqlEngine], object]] = {
    "name with a capital": lambda engine: engine.create_queue("Alpha", {}),
    "name of nothing": lambda engine: engine.create_queue("", {}),
    "name too long": lambda engine: engine.create_queue("x" * 48, {}),
    "name with a blank": lambda engine: engine.read("a b", None, 1, None, None),
    "unknown setting": lambda engine: engine.create_queue("gamma", {"vtt": 1}),
    "vt over health_stale": lambda engine: engine.create_queue("gamma", {"vt": 60}),
    "no reads at all": lambda engine: engine.create_queue("gamma", {"max_reads": 0}),
}
