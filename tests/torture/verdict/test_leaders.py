"""One process leads at a time, and only who leads begins a chore."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture.verdict.fanned import Fanned


class Led(Fanned):
    def lead(self, holder: str | None, token: int, since: int, until: int) -> None:
        """Note a version of the lease; instants are milliseconds."""
        self._event(
            "lead", name="reaper", holder=holder, token=token, db_from=since * 1000, db_renewed=since * 1000,
            db_until=until * 1000,
        )  # fmt: skip

    def sweep(self, token: int, began: int, chore: str = "barriers") -> None:
        self._event("sweep", chore=chore, token=token, db_began=began * 1000)


@pytest.fixture
def run() -> Led:
    return Led()


def found(run: Led, folder: Path) -> dict[str, int]:
    return run.finish().judged(folder).violations


def test_a_leader_renews_resigns_and_is_followed(run: Led, tmp_path: Path) -> None:
    run.lead("a", 1, 100, 200)
    run.sweep(1, 110)
    run.lead("a", 1, 100, 250)
    run.lead(None, 1, 100, 180)
    run.lead("b", 2, 181, 281)
    run.sweep(2, 190)
    run.lead("c", 3, 300, 400)
    run.lead("c", 4, 310, 410)
    verdict = run.finish().judged(tmp_path)
    assert verdict.violations == {}
    assert verdict.report["figures"]["elections"] == 4
    assert verdict.report["figures"]["takeover_after_lapse_ms"]["max"] == 19.0


def test_a_leader_that_is_elected_too_early(run: Led, tmp_path: Path) -> None:
    run.lead("a", 1, 100, 200)
    run.lead("b", 2, 199, 299)
    assert found(run, tmp_path) == {"two_leaders": 1}


def test_two_holders_of_one_token(run: Led, tmp_path: Path) -> None:
    run.lead("a", 1, 100, 200)
    run.lead("b", 1, 300, 400)
    assert found(run, tmp_path) == {"two_leaders": 1}


def test_a_token_that_falls(run: Led, tmp_path: Path) -> None:
    run.lead("a", 2, 100, 200)
    run.lead("b", 1, 300, 400)
    assert found(run, tmp_path) == {"two_leaders": 1}


@pytest.mark.parametrize("began", [99, 200, 350])
def test_a_chore_that_is_begun_without_a_lease(run: Led, tmp_path: Path, began: int) -> None:
    run.lead("a", 1, 100, 200)
    run.lead("b", 2, 300, 400)
    run.sweep(1, began)
    assert found(run, tmp_path) == {"two_leaders": 1}


def test_a_chore_that_goes_back_to_an_older_leader(run: Led, tmp_path: Path) -> None:
    run.lead("a", 1, 100, 200)
    run.lead("b", 2, 300, 400)
    run.sweep(2, 310)
    run.sweep(1, 150)
    assert found(run, tmp_path) == {"two_leaders": 1}
