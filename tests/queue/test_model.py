from __future__ import annotations

from pgqueue.queue.model import Backoff, QueueSettings
from pgqueue.queue.rules import SETTING_NAMES, check_settings


def test_settings_of_a_newer_schema_are_left_out() -> None:
    settings = QueueSettings.from_json({"vt": 5, "brand_new": 1, "backoff": {"base": 2, "shape": "odd"}})
    assert settings == QueueSettings(vt=5, backoff=Backoff(base=2))


def test_the_rules_know_every_setting_and_take_its_default() -> None:
    assert set(QueueSettings.__dataclass_fields__) == set(SETTING_NAMES)
    defaults = {name: getattr(QueueSettings(), name) for name in SETTING_NAMES if name != "backoff"}
    assert check_settings(defaults) == defaults
    check_settings({"backoff": Backoff()._asdict()})
