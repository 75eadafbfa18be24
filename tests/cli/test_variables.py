from __future__ import annotations

from pgqueue.cli.consume import command
from pgqueue.cli.variables import CONSUME_VARIABLES, unread_variables


def test_listed_variables_are_those_of_the_options_of_consume() -> None:
    assert {str(option.envvar) for option in command.params if option.envvar} == set(CONSUME_VARIABLES)


def test_variable_that_nobody_reads_is_told_with_the_nearest_that_somebody_does() -> None:
    environ = {"PGQUEUE_DNS": "x", "PGQUEUE_VT": "30", "PGQUEUE_SERVICE_HOST": "10.0.0.1"}
    unread = unread_variables(environ)
    assert unread["PGQUEUE_DNS"] == "PGQUEUE_DSN"
    assert "PGQUEUE_VT" not in unread
