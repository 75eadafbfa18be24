"""The compose file stops a consumer only after it could drain, whatever the limits are set to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pgqueue.cli.consume import command
from pgqueue.daemon.fleet import SETTLE_SECONDS

COMPOSE = Path(__file__).resolve().parents[2] / "docker-compose.yaml"
PRESETS = [(30, 60), (180, 240), (600, 660), (3660, 3720)]
REQUIRED = {"POSTGRES_PASSWORD": "p", "QUEUE": "orders", "APP": "tasks:app"}


def interpolated(variables: dict[str, str]) -> dict[str, Any]:
    """Read the file as compose would with these variables set."""

    def value(match: re.Match[str]) -> str:
        name, operator, rest = match.groups()
        if name in variables:
            return variables[name]
        assert operator == ":-", f"{name} is required: {rest}"
        return rest

    parsed: dict[str, Any] = yaml.safe_load(
        re.sub(r"\$\{(\w+)(?:(:[-?])([^}]*))?\}", value, COMPOSE.read_text())
    )
    return parsed


def options(service: dict[str, Any]) -> dict[str, Any]:
    """Let the real command parse the arguments of the service."""
    program, verb, *arguments = service["command"]
    assert (program, verb) == ("pgqueue", "consume")
    given: dict[str, Any] = command.make_context("consume", list(arguments)).params
    return given


@pytest.mark.parametrize(("vt", "health_stale"), PRESETS)
def test_limits_and_stop_grace_come_from_the_same_variables(vt: int, health_stale: int) -> None:
    consumer = interpolated(REQUIRED | {"VT": str(vt), "HEALTH_STALE": str(health_stale)})["services"][
        "consumer"
    ]
    given = options(consumer)
    assert (given["vt"], given["health_stale"], given["grace"]) == (vt, health_stale, vt)
    assert consumer["stop_grace_period"] == f"{health_stale}s"
    assert health_stale >= given["grace"] + SETTLE_SECONDS, "it would be killed while it still settles"


def test_health_is_asked_where_it_is_served() -> None:
    consumer = interpolated(REQUIRED)["services"]["consumer"]
    given = options(consumer)
    assert given["host"] == "0.0.0.0"  # noqa: S104 - inside of a container
    assert f"127.0.0.1:{given['port']}/livez" in " ".join(consumer["healthcheck"]["test"])


def test_defaults_are_the_first_preset() -> None:
    assert interpolated(REQUIRED) == interpolated(REQUIRED | {"VT": "30", "HEALTH_STALE": "60"})


def test_presets_are_told_in_the_file() -> None:
    told = re.findall(r"^#   (\d+) +(\d+)\b", COMPOSE.read_text(), re.MULTILINE)
    assert [(int(vt), int(stale)) for vt, stale in told] == PRESETS


def test_consumer_goes_through_a_pooler_in_transaction_mode() -> None:
    services = interpolated(REQUIRED)["services"]
    assert services["pgbouncer"]["environment"]["POOL_MODE"] == "transaction"
    assert "@pgbouncer:" in services["consumer"]["environment"]["PGQUEUE_DSN"]
    assert services["postgres"]["image"] == "postgres:18"
