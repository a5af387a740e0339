"""One machine: an event loop for endpoints, a pool of processes for what computes, one ledger.

No server. A worker that dies costs the call it was on, which is made again; a job that kills workers again
and again stops the run with its name.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from types import TracebackType

from triptych.engines.cores import usable_cores
from triptych.engines.gpu import GpuRoles
from triptych.engines.workers import LoadedRoles, start_worker, work
from triptych.errors import InfrastructureError, WorkFailed
from triptych.ledger.images import ImageStore
from triptych.ledger.writer import GroupCommitter
from triptych.mining.asking import NotBegun
from triptych.mining.distinct import DistinctScenes
from triptych.mining.jobs import Job
from triptych.mining.perform import Bench, CrunchThreads, Done, failed_call, perform
from triptych.mining.recent import Recent
from triptych.mining.state import Plan
from triptych.records import Fact, ImageFormat, RoleName
from triptych.roles import Backend, RoleConfig

_ENDPOINT_CALLS = 32  # calls at once to a role behind an endpoint, where the recipe doesn't say
_RECENT_BYTES = 64_000_000  # of images kept at hand for the judges of what was just made
_DEADLY = 4  # workers that may die on one job before it is called a bug of the back end


class LocalEngine:
    """Runs jobs where their role is placed: "io" on the event loop, "gpu" by its weights, else in a pool."""

    def __init__(
        self,
        plan: Plan,
        configs: Mapping[RoleName, RoleConfig],
        images: ImageStore,
        image_format: ImageFormat,
        committer: GroupCommitter,
        processes: int | None = None,
        scenes: DistinctScenes | None = None,
        *,
        phased: bool = False,
    ) -> None:
        self._plan = plan
        self._configs = configs
        self._committer = committer
        self._images = images
        self._image_format: ImageFormat = image_format
        self._roles = roles = LoadedRoles(configs)
        roles.check_ready()
        self._crunch = CrunchThreads(usable_cores())
        self._bench = Bench(roles, images, image_format, self._crunch, Recent(_RECENT_BYTES), scenes)
        self._on_loop = {role for role in configs if _placement(roles.backend(role)) == "io"}
        if "editor" in self._on_loop:
            self._crunch.get_ready()
        self._gpu = GpuRoles(configs, roles, images, image_format, _interrupts_held, phased=phased)
        computing = [c for role, c in configs.items() if role not in self._on_loop and role not in self._gpu]
        self._processes = processes or max([config.workers or 0 for config in computing] + [usable_cores()])
        self._slots = {
            role: asyncio.Semaphore(configs[role].workers or _ENDPOINT_CALLS) for role in self._on_loop
        }
        self._free_processes = asyncio.Semaphore(self._processes)  # nothing waits where it can't be stopped
        self._slot_count = sum(configs[role].workers or _ENDPOINT_CALLS for role in self._on_loop) + (
            self._processes if computing else 0
        )
        self._slot_count += self._gpu.slots()
        self._pool: ProcessPoolExecutor | None = None
        self._deaths: Counter[str] = Counter()
        self._hung: set[ProcessPoolExecutor] = set()  # ended by us, since a call in them did not

    async def run(self, job: Job, number: int, begin: Callable[[], bool]) -> Done:
        """Do a job where its role is placed; its facts are committed when this returns."""
        turns = self._gpu.turns
        if turns is None:
            return await self._ran(job, number, begin)
        turns.began()
        try:
            return await self._ran(job, number, begin)
        finally:
            turns.ended()

    async def _ran(self, job: Job, number: int, begin: Callable[[], bool]) -> Done:
        if job.role in self._gpu:
            done = await self._unless_it_dies(job, number, self._on_gpu(job, number, begin))
            await self._committer.submit(done.facts)
            return done
        place = _Place(self._slots.get(job.role, self._free_processes))
        await place.take()
        try:
            if not begin():
                raise NotBegun
            if job.role in self._on_loop:  # an endpoint's place is free as soon as it has answered
                done = await self._on_the_loop(job, number, place)
            else:
                done = await self._unless_it_dies(job, number, self._in_pool(job, number))
        finally:
            place.leave()
        await self._committer.submit(done.facts)
        return done

    async def record(self, facts: Sequence[Fact]) -> None:
        """Commit facts that no job made."""
        await self._committer.submit(facts)

    def slots(self) -> int:
        """How many jobs can run at once."""
        return self._slot_count

    async def _on_the_loop(self, job: Job, number: int, place: _Place) -> Done:
        """An endpoint's place is free, and its time no longer runs, as soon as it has answered."""
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._timeout(job)) as limit:

                def answered() -> None:
                    limit.reschedule(None)
                    place.leave()

                return await perform(job, number, self._bench, answered)
        except TimeoutError:
            if not limit.expired():
                raise
            return self._unreached(job, number, "timed_out", started)

    async def _on_gpu(self, job: Job, number: int, begin: Callable[[], bool]) -> Done:
        """A worker that hangs is ended; what else was on it is made again."""
        started = time.monotonic()
        try:
            return await self._gpu.run(job, number, begin, self._timeout(job))
        except TimeoutError:
            return self._unreached(job, number, "timed_out", started)

    async def _in_pool(self, job: Job, number: int) -> Done:
        started = time.monotonic()
        pool = self._running_pool()
        try:
            with _interrupts_held():
                working = asyncio.get_running_loop().run_in_executor(pool, work, job, number)
            async with asyncio.timeout(self._timeout(job)) as limit:
                return await working
        except TimeoutError:
            if not limit.expired():
                raise
            self._hung.add(pool)  # one worker can't be ended alone; the others' calls are made again
            self.kill()
            return self._unreached(job, number, "timed_out", started)
        except BrokenProcessPool:
            if pool in self._hung:
                return self._unreached(job, number, "worker_ended", started)
            if self._pool is pool:
                self._pool = None
                pool.shutdown(wait=False)
            raise

    async def _unless_it_dies(self, job: Job, number: int, working: Awaitable[Done]) -> Done:
        """The job's outcome; where its worker died, that is one, until it has died too often."""
        started = time.monotonic()
        try:
            return await working
        except BrokenProcessPool:
            self._deaths[job.id] += 1
            if self._deaths[job.id] >= _DEADLY:
                raise WorkFailed(
                    f"workers died {_DEADLY} times on {job.role} job {job.id}: the back end crashes or memory"
                    " runs out; use fewer workers or mend it, then run the same command again"
                ) from None
            return self._unreached(job, number, "worker_died", started)

    def _timeout(self, job: Job) -> float | None:
        return self._configs[job.role].timeout if job.role in self._configs else None

    def _unreached(self, job: Job, number: int, reason: str, started: float) -> Done:
        spec, failure = self._plan.spec_id(job.role), InfrastructureError(reason)
        call = failed_call(job, number, spec, failure, time.monotonic() - started)
        return Done("infrastructure_error", reason, (call,))

    def _running_pool(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self._processes,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=start_worker,
                initargs=(self._configs, self._images, self._image_format, os.getpid()),
            )
        return self._pool

    def kill(self) -> None:
        """End the workers at once; what they were on is lost, and owed."""
        self._gpu.kill()
        pool, self._pool = self._pool, None
        if pool is not None:
            for process in list((pool._processes or {}).values()):
                process.kill()
            pool.shutdown(wait=False, cancel_futures=True)

    async def __aenter__(self) -> LocalEngine:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._crunch.close()
        await self._roles.close()
        if error is not None:
            self._gpu.kill()
        await self._gpu.close()
        if self._pool is not None:
            self._pool.shutdown(wait=error is None, cancel_futures=True)


class _Place:
    """A place at a role: taken once, left once, however often it is said."""

    def __init__(self, places: asyncio.Semaphore) -> None:
        self._places = places
        self._taken = False

    async def take(self) -> None:
        await self._places.acquire()
        self._taken = True

    def leave(self) -> None:
        if self._taken:
            self._taken = False
            self._places.release()


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back: a worker born here inherits that, and isn't interrupted before it is deaf to it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _placement(backend: Backend) -> str:
    return type(backend).placement
