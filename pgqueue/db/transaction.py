"""A transaction of the user's statements that ends with a call of ours: both are committed, or neither."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
)
from types import TracebackType
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from pgqueue.call import Call, Rows
from pgqueue.db.attempt import seen
from pgqueue.db.doors import Door
from pgqueue.db.hints import give_kept, give_kept_async, keep_for_commit
from pgqueue.db.liveness import AnyConnection, AsyncBoundedConnection, BoundedConnection, DeadlinePassed
from pgqueue.db.pools import AsyncPool, Pool
from pgqueue.db.sqlstate import is_dead, proves_rollback, translate
from pgqueue.errors import ClientMisuse, InDoubt, PgQueueError, Unavailable

STEP_TIMEOUT = 30.0

# The mark dies with the transaction: if it is gone at the end, the block has ended it by itself. A role or
# server that commits asynchronously by default doesn't do so here.
_OPEN = (
    "select current_setting('search_path'), current_setting('role'), set_config('pgqueue.tx', %s, true),"
    " case when current_setting('synchronous_commit') = 'off'"
    " then set_config('synchronous_commit', 'on', true) end"
)
_LOOK = "select current_setting('search_path'), current_setting('role'), current_setting('pgqueue.tx', true)"
# Before the commit, so that through a pooler it reaches the same server; not local, so that it undoes a SET.
_RESTORE = "select set_config('search_path', %s, false), set_config('role', %s, false)"

Steps = Generator[tuple[str, list[Any]], Rows, None]


class Transactions:
    """Opens such transactions, sync and async, on connections of their own: at most `size` of each."""

    def __init__(self, door: Door, size: int) -> None:
        self._pool = Pool(door, size)
        self._async_pool = AsyncPool(door, size)

    def ending_with(self, last: Call[Any] | Callable[[], Call[Any]]) -> OwnTransaction:
        """Prepare a transaction whose last statement is `last`; an error of its `parse` rolls back.

        A function is asked for the call when the block is over, and once before, for the error that may come until then.
        """
        return OwnTransaction(self._pool, self._async_pool, last, opens=False)

    def beginning_with(self, first: Call[bool]) -> OwnTransaction:
        """Prepare a transaction whose first statement is `first`; it gives no connection where that answers False."""
        return OwnTransaction(self._pool, self._async_pool, first, opens=True)

    async def close(self) -> None:
        """Close the idle connections now, those in use when their blocks end. Safe to repeat."""
        self._pool.close()
        await self._async_pool.close()


class OwnTransaction(AbstractContextManager[Any], AbstractAsyncContextManager[Any]):
    """A transaction on a connection of ours, which a call of ours opens or ends; to be entered once.

    `with` gives a psycopg.Connection, `async with` an AsyncConnection; None where the opening call answers False.
    Raises: InDoubt when the answer to the commit was lost. Everything was rolled back when it raises
    Unavailable, ClientMisuse (the block ended or broke the transaction), or what the call raises. An exception
    of the block passes through after the rollback.
    """

    def __init__(
        self,
        pool: Pool,
        async_pool: AsyncPool,
        call: Call[Any] | Callable[[], Call[Any]],
        *,
        opens: bool,
    ) -> None:
        self._pool, self._async_pool, self._call, self._opens = pool, async_pool, call, opens
        self._entered: Any = None

    def __enter__(self) -> psycopg.Connection[Any] | None:
        self._entered = _transaction(self._pool, _Course(self._call, opens=self._opens))
        connection: psycopg.Connection[Any] | None = self._entered.__enter__()
        return connection

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> bool | None:
        swallowed: bool | None = self._entered.__exit__(kind, error, tb)
        return swallowed

    async def __aenter__(self) -> psycopg.AsyncConnection[Any] | None:
        self._entered = _async_transaction(self._async_pool, _Course(self._call, opens=self._opens))
        connection: psycopg.AsyncConnection[Any] | None = await self._entered.__aenter__()
        return connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> bool | None:
        swallowed: bool | None = await self._entered.__aexit__(kind, error, tb)
        return swallowed


class _Course:
    """What the sync and the async transaction do alike: the statements around the block, and the errors."""

    def __init__(self, call: Call[Any] | Callable[[], Call[Any]], *, opens: bool) -> None:
        self._build: Callable[[], Call[Any]] = (lambda: call) if isinstance(call, Call) else call
        self._call, self._opens = self._build(), opens
        self.goes_on = True
        self._mark = secrets.token_hex(8)
        self._before: tuple[str, str] = ("", "")
        self._in_block = False
        self._raised: BaseException | None = None
        self._committing = False

    def opening(self) -> Steps:
        rows = yield _OPEN, [self._mark]
        self._before = rows[0][:2]
        if self._opens:
            rows = yield self._call.sql, list(self._call.params)
            self.goes_on = self._call.parse(rows)
        self._in_block = True

    @contextmanager
    def block(self, connection: BoundedConnection | AsyncBoundedConnection) -> Iterator[None]:
        """The user's part may take as long as it likes; what comes after it, also a rollback, may not."""
        connection.deadline = math.inf
        try:
            yield
        except BaseException as error:
            self._raised = error
            raise
        finally:
            connection.deadline = _soon()

    def closing(self, connection: AnyConnection) -> Steps:
        """Check that the block left the transaction as it should, undo its SETs, and run the last call."""
        self._in_block = False
        _refuse_broken(connection)
        rows = yield _LOOK, []
        search_path, role, mark = rows[0]
        if mark != self._mark:
            raise ClientMisuse(
                "the block ended its transaction itself: what it wrote may stand without the rest",
                cure="Leave commit and rollback to the `with` block.",
            )
        if (search_path, role) != self._before:
            yield _RESTORE, list(self._before)
        if not self._opens:
            self._call = self._build()
            keep_for_commit(connection, self._call)
            rows = yield self._call.sql, list(self._call.params)
            self._call.parse(rows)
        self._committing = True

    def failure(self, error: BaseException, connection: AnyConnection) -> BaseException:
        """Say what an exception means; the block's own are left as they are, whatever its rollback meets."""
        if self._in_block:
            return self._raised or error
        if isinstance(error, PgQueueError):
            return error
        if isinstance(error, DeadlinePassed):
            return self._lost(f"no answer within {STEP_TIMEOUT:g} s")
        if isinstance(error, psycopg.Error):
            if not is_dead(connection, error):
                return translate(error, self._call)
            return self._lost(seen(error), rolled_back=proves_rollback(error.sqlstate))
        # Interrupted: if the commit was on its way, nobody knows what became of it.
        return self._lost(f"interrupted by {type(error).__name__}") if self._committing else error

    def _lost(self, observed: str, *, rolled_back: bool = False) -> PgQueueError:
        if self._committing and not rolled_back:
            cure = "If it wasn't committed, the message comes back after its vt."
            return InDoubt(f"the commit got no answer: {observed}", cure=cure, queue=self._call.queue)
        return Unavailable(f"the transaction was rolled back: {observed}", queue=self._call.queue)


@contextmanager
def _transaction(pool: Pool, course: _Course) -> Iterator[psycopg.Connection[Any] | None]:
    connection = pool.acquire(_soon()).connection
    usable = False
    try:
        with connection.transaction():
            _drive(course.opening(), connection)
            connection.hints = {}
            with course.block(connection):
                yield connection if course.goes_on else None
            _drive(course.closing(connection), connection)
    except BaseException as error:
        failure = course.failure(error, connection)
        if failure is error:
            raise
        raise failure from error
    else:
        usable = give_kept(connection, _soon())
    finally:
        connection.row_factory = tuple_row
        pool.give_back(connection, usable=usable)


@asynccontextmanager
async def _async_transaction(
    pool: AsyncPool, course: _Course
) -> AsyncIterator[psycopg.AsyncConnection[Any] | None]:
    connection = (await pool.acquire(_soon())).connection
    usable = False
    try:
        async with connection.transaction():
            await _async_drive(course.opening(), connection)
            connection.hints = {}
            with course.block(connection):
                yield connection if course.goes_on else None
            await _async_drive(course.closing(connection), connection)
    except BaseException as error:
        failure = course.failure(error, connection)
        if failure is error:
            raise
        raise failure from error
    else:
        usable = await give_kept_async(connection, _soon())
    finally:
        connection.row_factory = tuple_row
        await pool.give_back(connection, usable=usable)


# Both make their own cursor: the block may have changed the connection's factories and loaders.
def _drive(steps: Steps, connection: psycopg.Connection[Any]) -> None:
    try:
        sql, params = next(steps)
        while True:
            cursor = psycopg.Cursor(connection, row_factory=tuple_row)
            rows = cursor.execute(sql.encode(), params, binary=True).fetchall()
            sql, params = steps.send(rows)
    except StopIteration:
        return


async def _async_drive(steps: Steps, connection: psycopg.AsyncConnection[Any]) -> None:
    try:
        sql, params = next(steps)
        while True:
            cursor = psycopg.AsyncCursor(connection, row_factory=tuple_row)
            rows = await (await cursor.execute(sql.encode(), params, binary=True)).fetchall()
            sql, params = steps.send(rows)
    except StopIteration:
        return


def _refuse_broken(connection: AnyConnection) -> None:
    if connection.closed:
        raise Unavailable("the transaction was rolled back: its connection was closed inside the block")
    if connection.info.transaction_status == TransactionStatus.INERROR:
        raise ClientMisuse(
            "a statement of the block failed, and its error was swallowed: nothing was written",
            cure="Let the error through, or put `with connection.transaction():` around the statement.",
        )


def _soon() -> float:
    return time.monotonic() + STEP_TIMEOUT
