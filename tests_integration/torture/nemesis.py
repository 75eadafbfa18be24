"""Plays the faults of a schedule, writes down when each began and ended, and heals what lasts."""

from __future__ import annotations

import time
from pathlib import Path

import psycopg

from pgqueue.db.embedded import Cluster
from tests_integration.torture.crew import Crew
from tests_integration.torture.dump import Dump
from tests_integration.torture.history import Recorder
from tests_integration.torture.schedule import Fault, Schedule

CRASHES = ("immediate", "kill_server")
OPEN_SOMETHING = {
    "snapshot": "begin isolation level repeatable read; select count(*) from public.unrelated",
    "long_writer": "begin; insert into public.unrelated values (1)",
}


class Nemesis:
    """`play` is called all the time; a fault that the server's state forbids is tried again a moment later."""

    def __init__(self, folder: Path, cluster: Cluster, conninfo: str, crew: Crew, schedule: Schedule) -> None:
        self._folder = folder
        self._cluster = cluster
        self._conninfo = conninfo
        self._crew = crew
        self._recorder = Recorder(folder, "nemesis")
        self._due = [(fault.at, "begin", number, fault) for number, fault in enumerate(schedule.faults)]
        self._due += [
            (fault.until, "end", number, fault)
            for number, fault in enumerate(schedule.faults)
            if fault.until is not None
        ]
        self._due.sort(key=lambda step: step[:3])
        self._open: dict[int, tuple[int, psycopg.Connection | None]] = {}
        self.dumps: list[Dump] = []

    def play(self, elapsed: float) -> None:
        """Do what is due."""
        while self._due and self._due[0][0] <= elapsed:
            _, step, number, fault = self._due.pop(0)
            if step == "begin":
                self._begin(number, fault)
            elif number in self._open:
                self._end(number, fault)
        for dump in self.dumps:
            dump.look(self._recorder)

    def heal(self) -> None:
        """End everything that still lasts and wait for the dumps."""
        for step, number, fault in [entry[1:] for entry in self._due]:
            if step == "end" and number in self._open:
                self._end(number, fault)
        for dump in self.dumps:
            dump.wait(self._recorder)
        self._recorder.close()

    def _begin(self, number: int, fault: Fault) -> None:
        if fault.fault == "dump":
            self.dumps.append(Dump.take(self._folder, self._cluster, self._conninfo, self._recorder))
            return
        noted = self._recorder.invoke("fault", fault=fault.fault, victim=fault.victim)
        connection: psycopg.Connection | None = None
        happened = True
        if fault.fault in CRASHES:
            self._crash(fault.fault)
        elif fault.fault == "kill":
            happened = self._crew.kill(fault.victim)
        elif fault.fault == "pause":
            happened = self._crew.pause(fault.victim)
        elif fault.fault == "terminate":
            happened = self._terminate(fault.victim)
        elif fault.fault == "prepared":
            self._prepare(number)
        else:
            connection = psycopg.connect(self._conninfo, autocommit=True)
            connection.execute(OPEN_SOMETHING[fault.fault].encode())
        if fault.until is None or not happened:
            self._recorder.end(noted, "ok" if happened else "fail", "fault")
        else:
            self._open[number] = (noted, connection)

    def _end(self, number: int, fault: Fault) -> None:
        noted, connection = self._open.pop(number)
        if fault.fault == "pause":
            self._crew.resume(fault.victim)
        elif fault.fault == "prepared":
            with psycopg.connect(self._conninfo, autocommit=True) as finishing:
                finishing.execute(f"commit prepared 'torture-{number}'".encode())
        elif connection is not None:
            connection.close()
        self._recorder.end(noted, "ok", "fault")

    def _crash(self, how: str) -> None:
        if how == "immediate":
            self._cluster.stop("immediate")
        else:
            self._cluster.kill()
        self._cluster.start()

    def _terminate(self, victim: str) -> bool:
        deadline = time.monotonic() + 3
        with psycopg.connect(self._conninfo, autocommit=True) as connection:
            while time.monotonic() < deadline:
                row = connection.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = %s limit 1",
                    [victim],
                ).fetchone()
                if row:
                    return True
                time.sleep(0.02)
        return False

    def _prepare(self, number: int) -> None:
        with psycopg.connect(self._conninfo, autocommit=True) as connection:
            connection.execute("begin")
            connection.execute("insert into public.unrelated values (2)")
            connection.execute(f"prepare transaction 'torture-{number}'".encode())
