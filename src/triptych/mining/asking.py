"""One call, asked as often as it takes: what the miner and an audit do with a role that fails.

Three outcomes of a call stay apart. Rejected: the model declined, the attempt is spent. Model error: asked
again a bounded number of times, then spent. Infrastructure error: asked again until the role answers or the
recipe's patience ends, and never spends an attempt.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from triptych.errors import WorkFailed
from triptych.ledger.queries import CallHistory
from triptych.mining.events import CallEnded, CallStarted, Observer
from triptych.mining.jobs import Job
from triptych.mining.perform import Done
from triptych.mining.schedule import Spending
from triptych.recipe import Retries
from triptych.records import Call, Fact, RoleName

_KEYS_PATIENCE = 30.0  # seconds: a key is read once, waiting mends none; services have their moments, though
_LONGEST_PAUSE = 30.0  # seconds between two tries of a role that isn't reached


class Engine(Protocol):
    """Where jobs run. Facts of a finished job are committed before `run` returns."""

    async def run(self, job: Job, number: int, begin: Callable[[], bool]) -> Done:
        """Do a job, as the number-th try at it, once a place is free and `begin` says so. Raises NotBegun."""

    async def record(self, facts: Sequence[Fact]) -> None:
        """Commit facts that no job made."""

    def slots(self) -> int:
        """How many jobs can run at once; the miner keeps about twice as many tasks open."""


class Stopping(Exception):
    """A chain ends here: the user asked to stop, or the budget is spent."""


class NotBegun(Exception):
    """A job that waited for a place, and was not to begin any more when there was one."""


class Asker:
    """Has jobs done by an engine, within a budget, until it is told to stop."""

    def __init__(self, engine: Engine, retries: Retries, spending: Spending, observer: Observer) -> None:
        self._engine = engine
        self._retries = retries
        self._spending = spending
        self._observe = observer
        self._stop = asyncio.Event()
        self._unreached_since: dict[RoleName, float] = {}
        self._in_flight: dict[str, asyncio.Future[Done]] = {}

    def stop(self) -> None:
        """Let calls in flight finish and begin no more."""
        self._stop.set()

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stop.is_set()

    async def ask(
        self, job: Job, history: CallHistory | None = None, counted: Callable[[], None] | None = None
    ) -> Done:
        """Have a job done: made, rejected, or out of tries. Raises Stopping between two tries.

        Two chains that want the same job (attempts that came out the same have one pair) share its calls.
        `history`: its calls of earlier commands. `counted` is told of every call that was reached.
        """
        asked = self._in_flight.get(job.id)
        if asked is not None:
            return await asyncio.shield(asked)
        asked = asyncio.get_running_loop().create_future()
        self._in_flight[job.id] = asked
        try:
            done = await self._tried(job, history or CallHistory(), counted)
        except BaseException as error:
            asked.set_exception(error)
            asked.exception()  # whoever waits for it is told; that nobody does is no error
            raise
        finally:
            del self._in_flight[job.id]
        asked.set_result(done)
        return done

    async def _tried(self, job: Job, history: CallHistory, counted: Callable[[], None] | None) -> Done:
        errors, number, pause = history.model_errors, history.failures, 0.5
        limit = self._retries.model_errors
        while errors < limit:
            if self.stopped or not self._spending.affords(job.role):
                raise Stopping
            number += 1
            done = await self._call(job, number)
            if done.outcome == "infrastructure_error":
                self._check_patience(job.role, done)
                await self._pause(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
                continue
            self._unreached_since.pop(job.role, None)
            if counted is not None:
                counted()
            if done.outcome != "model_error":
                return done
            errors += 1
            if errors >= limit:
                return done
        return Done("model_error", history.last_reason, ())  # its tries were used up before this command

    async def _call(self, job: Job, number: int) -> Done:
        try:
            done = await self._engine.run(job, number, lambda: self._begin(job.role))
        except NotBegun:
            raise Stopping from None
        self._spending.end(sum(fact.seconds for fact in done.facts if isinstance(fact, Call)))
        self._observe(CallEnded(job.role, done.outcome, done.reason, done.worked, done.detail))
        return done

    def _begin(self, role: RoleName) -> bool:
        """Whether a call may begin now; counts it."""
        if self.stopped or not self._spending.affords(role):
            return False
        self._spending.begin(role)
        self._observe(CallStarted(role))
        return True

    def _check_patience(self, role: RoleName, done: Done) -> None:
        since = self._unreached_since.setdefault(role, time.monotonic())
        patience = self._retries.patience_seconds
        if done.reason == "wrong_key":
            patience = min(patience, _KEYS_PATIENCE)
        if time.monotonic() - since >= patience:
            told = f"{done.reason}: {done.detail}" if done.detail else done.reason
            raise WorkFailed(
                f"the {role.replace('_', ' ')} was not reached for {patience:g} s ({told}); all that was "
                "made is kept: see to it, then run the same command again"
            )

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            return
