"""Servers and poolers that restart while messages flow: whatever a producer was told is sent is handled."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pgqueue import PgQueue
from pgqueue.db.embedded import Cluster
from pgqueue.errors import InDoubt, KeyBusy, PgQueueError, Unavailable
from pgqueue.task import payload
from tests_integration.consumer.worker import Worker
from tests_integration.fixtures.bouncer import Bouncer
from tests_integration.fixtures.cluster import install_schema, running_cluster, tcp_conninfo
from tests_integration.fixtures.waiting import eventually

MESSAGES = 400
TROUBLE = ("connection.dropped", "connect.failed", "call.repeated", "read.failed", "settle.failed")
APP = """
done = os.open(os.environ["DONE"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)

@app.task("t", queue="orders")
def t(n): os.write(done, f"{n}\\n".encode())
"""


class Producer:
    """Sends numbered messages until each was confirmed; every one has a key, so that it may be sent again."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self.confirmed = 0
        self.failures: list[PgQueueError] = []
        self.thread = threading.Thread(target=self._send_all, daemon=True)

    def _send_all(self) -> None:
        with PgQueue(self._dsn, call_timeout=5, role="producer") as client:
            while self.confirmed < MESSAGES:
                n = self.confirmed
                try:
                    client.send("orders", payload.build("t", [n], {}), key=f"number {n}")
                    self.confirmed += 1
                except (Unavailable, InDoubt, KeyBusy) as failure:
                    self.failures.append(failure)
                time.sleep(0.002)


@contextmanager
def a_server(fault: Callable[[Cluster], object]) -> Iterator[tuple[str, str, Callable[[], object]]]:
    with running_cluster({"fsync": "off"}) as cluster:
        conninfo = tcp_conninfo(cluster)
        install_schema(conninfo)

        def restart() -> None:
            fault(cluster)
            cluster.start()

        yield conninfo, conninfo, restart


@contextmanager
def a_pooler(fault: Callable[[Bouncer], object]) -> Iterator[tuple[str, str, Callable[[], object]]]:
    with running_cluster({"fsync": "off"}) as cluster:
        conninfo = tcp_conninfo(cluster)
        install_schema(conninfo)
        bouncer = Bouncer(conninfo)
        try:
            bouncer.start()
            yield conninfo, bouncer.conninfo("postgres"), lambda: fault(bouncer)
        finally:
            bouncer.close()


def _killed(bouncer: Bouncer) -> None:
    bouncer.kill()
    bouncer.start()


def _told_to_kill(bouncer: Bouncer) -> None:
    bouncer.admin("KILL postgres")
    bouncer.resume("postgres")


RESTARTS = {
    "server, fast": lambda: a_server(lambda cluster: cluster.stop("fast")),
    "server, immediate": lambda: a_server(lambda cluster: cluster.stop("immediate")),
    "pooler": lambda: a_pooler(Bouncer.restart),
    "pooler, killed": lambda: a_pooler(_killed),
    "pooler, KILL": lambda: a_pooler(_told_to_kill),
}


@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", RESTARTS)
def test_what_was_confirmed_is_handled_through_restarts(name: str, tmp_path: Path) -> None:
    with RESTARTS[name]() as (conninfo, dsn, restart):
        with PgQueue(conninfo) as client:
            client.create_queue("orders")
        done = tmp_path / "done"
        options = ["orders", "--app", "shop:app", "--dsn", dsn, "--processes", "1"]
        options += ["--vt", "2", "--health-stale", "30", "--call-timeout", "3"]
        worker = Worker(tmp_path, APP, options, {"DONE": str(done)})
        try:
            worker.wait_for("consumer.started")
            producer = Producer(dsn)
            producer.thread.start()
            for part in (1, 2, 3):
                wanted = part * MESSAGES // 4
                eventually(lambda wanted=wanted: producer.confirmed >= wanted, 30)  # type: ignore[misc]
                restart()
            eventually(lambda: producer.confirmed == MESSAGES, 30)
            with PgQueue(conninfo) as client:
                eventually(lambda: client.metrics("orders")[0].depth == 0, 20)
                assert client.metrics("orders")[0].dead == 0
            handled = [int(line) for line in done.read_text().splitlines()]
            assert set(handled) == set(range(MESSAGES)), "lost or invented"
            worker.terminate()
            assert worker.end() == 0, worker.output
            assert "Traceback" not in worker.output
        finally:
            worker.kill()
    met = {event for event in TROUBLE if f'"event": "{event}"' in worker.output}
    assert met, "the worker noticed nothing: nothing was tried"
    print(f"{name}: {len(handled) - MESSAGES} handled again; {sorted(met)}")  # noqa: T201 - for whoever looks
