"""Group commit: many coroutines record facts, and whatever has gathered goes into one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from triptych.errors import WorkFailed
from triptych.ledger.store import BAD_FACT, Ledger
from triptych.records import Fact

_GATHERING = 0.01  # seconds; a transaction costs as much as about forty rows

_Submission = tuple[tuple[Fact, ...], "asyncio.Future[None]"]


class GroupCommitter:
    """Records facts for the coroutines of one event loop, on a thread of its own where a commit waits.

    Facts gather for a moment, and on while a transaction is being committed, so its size follows the load.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")
        self._gathered: list[_Submission] = []
        self._gathering: asyncio.TimerHandle | None = None
        self._committing: asyncio.Task[list[BaseException | None]] | None = None
        self._closed = False

    async def submit(self, facts: Iterable[Fact]) -> None:
        """Record facts; returns once they are committed. WorkFailed where they can't be.

        They are committed even if the caller is cancelled meanwhile.
        """
        if self._closed:
            raise WorkFailed("the ledger is closed")
        done = asyncio.get_running_loop().create_future()
        self._gathered.append((tuple(facts), done))
        if self._committing is None and self._gathering is None:
            self._gather()
        await done

    async def close(self) -> None:
        """Wait for everything submitted, then stop the thread. The ledger stays open."""
        self._closed = True
        if self._gathering is not None:
            self._commit_gathered()
        while self._committing is not None:
            await asyncio.wait([self._committing])
            await asyncio.sleep(0)  # lets `_settle`, called back by the same future, start the next group
        self._thread.shutdown()

    async def __aenter__(self) -> GroupCommitter:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _gather(self) -> None:
        if self._closed:
            self._commit_gathered()
        else:
            self._gathering = asyncio.get_running_loop().call_later(_GATHERING, self._commit_gathered)

    def _commit_gathered(self) -> None:
        if self._gathering is not None:
            self._gathering.cancel()
            self._gathering = None
        group, self._gathered = self._gathered, []
        committing = self._committed([facts for facts, _ in group])
        self._committing = asyncio.create_task(committing)
        self._committing.add_done_callback(partial(self._settle, group))

    async def _committed(self, group: Sequence[tuple[Fact, ...]]) -> list[BaseException | None]:
        """A commit that waits for nothing is done at once: threads that take turns at the lock cost more."""
        if self._ledger.quick:
            return _commit(self._ledger, group)
        return await asyncio.get_running_loop().run_in_executor(self._thread, _commit, self._ledger, group)

    def _settle(
        self, group: list[_Submission], committed: asyncio.Future[list[BaseException | None]]
    ) -> None:
        self._committing = None
        if self._gathered:
            self._gather()
        bug = committed.exception()
        errors = [bug] * len(group) if bug else committed.result()
        for (_, done), error in zip(group, errors, strict=True):
            if done.done():  # its caller was cancelled
                continue
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)


def _commit(ledger: Ledger, group: Sequence[tuple[Fact, ...]]) -> list[BaseException | None]:
    """Record a group in one transaction; what came of each submission, None where it is committed."""
    try:
        ledger.record(fact for facts in group for fact in facts)
    except WorkFailed as error:
        return [error] * len(group)
    except BAD_FACT as error:
        if len(group) == 1:
            return [error]
        # One bad fact must not take its neighbours along.
        return [outcome for facts in group for outcome in _commit(ledger, [facts])]
    return [None] * len(group)
