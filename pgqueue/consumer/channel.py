"""Lines between a worker and its supervisor, over one end of a socket pair. Nobody ever waits for the other."""

from __future__ import annotations

import socket
import threading

LARGEST_BACKLOG = 1 << 18
_CHUNK = 1 << 16


class Channel:
    """Sends and receives whole lines. A peer that reads nothing for long loses lines, and blocks nobody."""

    def __init__(self, end: socket.socket) -> None:
        end.settimeout(0)
        self._end = end
        self._lock = threading.Lock()
        self._unsent = b""
        self._unread = b""
        self.open = True

    def fileno(self) -> int:
        return self._end.fileno()

    def send(self, line: bytes) -> None:
        """Send a line, or keep it until the peer reads on. May be called from any thread."""
        with self._lock:
            if len(self._unsent) <= LARGEST_BACKLOG:
                self._unsent += line
            try:
                sent = self._end.send(self._unsent)
            except BlockingIOError:
                return
            except OSError:  # the peer is gone: reading tells
                self._unsent = b""
                return
            self._unsent = self._unsent[sent:]

    def receive(self) -> list[bytes]:
        """Return the lines that have arrived; `open` is False once the peer is gone."""
        while self.open:
            try:
                received = self._end.recv(_CHUNK)
            except BlockingIOError:
                break
            except OSError:
                received = b""
            self.open = bool(received)
            self._unread += received
        *lines, self._unread = self._unread.split(b"\n")
        return lines

    def close(self) -> None:
        self._end.close()
