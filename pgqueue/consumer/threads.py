"""The threads that plain handlers run in."""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import Callable

Work = Callable[[], None]


class HandlerThreads:
    """A fixed number of daemon threads, started as they are needed.

    Not a ThreadPoolExecutor: that joins its threads when the interpreter ends, and a handler that never
    returns must not keep a process alive that was told to stop; and a future for each message costs more than
    a short handler.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._threads: list[threading.Thread] = []
        self._work: queue.SimpleQueue[Work] = queue.SimpleQueue()
        self._handed_out = 0

    def submit(self, work: Work) -> None:
        """Run `work`, which must not raise, in a context of its own. At most `size` may be unfinished."""
        self._work.put(work)
        self._handed_out += 1
        if len(self._threads) < min(self._size, self._handed_out):
            thread = threading.Thread(target=self._serve, name=f"handler-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self) -> None:
        while True:
            contextvars.copy_context().run(self._work.get())
