"""Settings that no queue may have; the first key is the one that the error names."""

from __future__ import annotations

BAD_SETTINGS: list[dict[str, object]] = [
    {"vt": 0},
    {"vt": -5},
    {"vt": "30"},
    {"vt": 86401},
    {"vt": None},
    {"vt": 60, "health_stale": 60},
    {"health_stale": 30},
    {"max_reads": 0},
    {"max_reads": 2.5},
    {"max_reads": True},
    {"repark_budget": -1},
    {"batch": 1001},
    {"payload_limit": 0},
    {"key_window": 59},
    {"archive": "yes"},
    {"archive": 1},
    {"durability": "none"},
    {"ack_commit": "never"},
    {"backoff": 5},
    {"backoff": {"base": 0}},
    {"backoff": {"factor": "2"}},
    {"backoff": {"jitter": 1.1}},
    {"backoff": {"speed": 1}},
    {"no_such_setting": 1},
    {"vt; drop table x": 1},
    {"'": "'"},
]
