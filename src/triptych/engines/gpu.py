"""Roles that are placed on a GPU: a process for each copy of weights, and who has a card that can't hold all.

Roles on the same weights share a process. With `residency: phased` one copy at a time is in memory: its roles
do all that waits for them, then let go, and the weights for which most is waiting come next.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import threading
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager
from itertools import count
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any

from triptych.engines.gathering import serve
from triptych.engines.workers import LoadedRoles
from triptych.ledger.images import ImageStore
from triptych.mining.asking import NotBegun
from triptych.mining.jobs import Job
from triptych.mining.perform import Done
from triptych.records import ImageFormat, RoleName
from triptych.roles import RoleConfig

_BATCHES_AT_HAND = 4  # jobs that a worker is given ahead, in batches: so that like ones meet
_PHASED_SLOTS = 1024  # jobs that may wait for their turn: the more, the seldomer weights are loaded
_QUIET = 0.05  # seconds without anything under way before the weights are changed
_PATIENCE = 10.0  # seconds that idle weights wait for jobs of other roles that are still under way
_FAREWELL = 10.0  # seconds for a worker to end by itself
_LONGEST_LOAD = 7200.0  # seconds that weights may take, fetched from the Hub included


class GpuRoles:
    """The GPU's roles of a run."""

    def __init__(
        self,
        configs: Mapping[RoleName, RoleConfig],
        roles: LoadedRoles,
        images: ImageStore,
        image_format: ImageFormat,
        held_back: Callable[[], AbstractContextManager[None]],
        *,
        phased: bool,
    ) -> None:
        placed = {role: config for role, config in configs.items() if _on_gpu(roles, role)}
        self._group = {role: _weights_of(roles, role, config) for role, config in placed.items()}
        self._workers = {
            group: GpuWorker(
                {role: config for role, config in placed.items() if self._group[role] == group},
                images,
                image_format,
                held_back,
            )
            for group in dict.fromkeys(self._group.values())
        }
        self._most = {role: config.workers or _at_hand(roles, role) for role, config in placed.items()}
        self._places = {role: asyncio.Semaphore(most) for role, most in self._most.items()}
        self._phased = phased
        self.turns = Turns(self._let_go) if phased else None

    def __contains__(self, role: RoleName) -> bool:
        return role in self._group

    def slots(self) -> int:
        """How many jobs can be under way at once."""
        if not self._most:
            return 0
        return _PHASED_SLOTS if self._phased else sum(self._most.values())

    async def run(
        self,
        job: Job,
        number: int,
        begin: Callable[[], bool],
        timeout: float | None,  # noqa: ASYNC109
    ) -> Done:
        """Do a job once its weights may be in memory and there is a place. Raises as its worker does.

        Raises TimeoutError, and ends the worker, where the job takes longer than `timeout` seconds there;
        loading the weights is no part of that.
        """
        group = self._group[job.role]
        if self.turns is not None:
            await self.turns.enter(group)
        try:
            async with self._places[job.role]:
                if not begin():
                    raise NotBegun
                worker = self._workers[group]
                try:
                    async with asyncio.timeout(_LONGEST_LOAD):
                        await worker.load(job.role)
                    async with asyncio.timeout(timeout):
                        return await worker.run(job, number)
                except TimeoutError:
                    worker.kill()
                    raise
        finally:
            if self.turns is not None:
                self.turns.leave()

    async def _let_go(self, group: str) -> None:
        await self._workers[group].release()

    def kill(self) -> None:
        """End the workers at once."""
        for worker in self._workers.values():
            worker.kill()

    async def close(self) -> None:
        """End the workers; those that are idle go by themselves."""
        await asyncio.gather(*(asyncio.to_thread(worker.close) for worker in self._workers.values()))


def _on_gpu(roles: LoadedRoles, role: RoleName) -> bool:
    return type(roles.backend(role)).placement == "gpu"


def _weights_of(roles: LoadedRoles, role: RoleName, config: RoleConfig) -> str:
    """What a role has in memory; a back end that doesn't say shares with nobody else."""
    return str(getattr(roles.backend(role), "weights", f"{role} {config.backend}"))


def _at_hand(roles: LoadedRoles, role: RoleName) -> int:
    largest: Callable[[], int] | None = getattr(roles.backend(role), "largest_batch", None)
    return _BATCHES_AT_HAND * (1 if largest is None else max(1, largest()))


class GpuWorker:
    """A process that keeps weights, begun when it is first wanted, begun anew when it died.

    Raises BrokenProcessPool for what was on it when it died, as a pool does.
    """

    def __init__(
        self,
        configs: Mapping[RoleName, RoleConfig],
        images: ImageStore,
        image_format: ImageFormat,
        held_back: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._arguments = configs, images, image_format
        self._held_back = held_back
        self._process: SpawnProcess | None = None
        self._connection: Connection | None = None
        self._pending: dict[int, asyncio.Future[Any]] = {}
        self._keys = count()

    async def run(self, job: Job, number: int) -> Done:
        """Do a job."""
        done: Done = await self._sent(job, number)
        return done

    async def load(self, role: RoleName) -> None:
        """Have a role's weights in memory."""
        await self._sent(role, 0)

    async def release(self) -> None:
        """Have the weights let go of; nothing may be under way."""
        if self._process is not None and self._process.is_alive():
            try:
                await self._sent(None, 0)
            except BrokenProcessPool:
                return

    async def _sent(self, job: Job | RoleName | None, number: int) -> Any:
        connection = self._running()
        key = next(self._keys)
        answer = asyncio.get_running_loop().create_future()
        self._pending[key] = answer
        try:
            connection.send((key, job, number))
            return await answer
        except (BrokenPipeError, ConnectionResetError):
            raise BrokenProcessPool("the worker is gone") from None
        finally:
            self._pending.pop(key, None)

    def _running(self) -> Connection:
        if self._connection is not None:
            return self._connection
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        with self._held_back():
            process = context.Process(target=serve, args=(theirs, *self._arguments, os.getpid()), daemon=True)
            process.start()
        theirs.close()
        self._process, self._connection = process, ours
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._read, args=(ours, loop), daemon=True).start()
        return ours

    def _read(self, connection: Connection, loop: asyncio.AbstractEventLoop) -> None:
        while True:
            try:
                message = connection.recv()
            except (EOFError, OSError):
                message = None
            try:
                loop.call_soon_threadsafe(self._received, connection, message)
            except RuntimeError:  # the loop is closed: nobody waits any more
                return
            if message is None:
                return

    def _received(
        self, connection: Connection, message: tuple[int, Any, BaseException | None] | None
    ) -> None:
        if message is None:
            if self._connection is connection:
                self._connection = None
                for answer in self._pending.values():
                    if not answer.done():
                        answer.set_exception(BrokenProcessPool("the worker died"))
            return
        key, done, error = message
        asked = self._pending.get(key)
        if asked is None or asked.done():
            return
        if error is None:
            asked.set_result(done)
        else:
            asked.set_exception(error)

    def kill(self) -> None:
        """End the process at once."""
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        """Let the process end; one that doesn't is killed."""
        if self._process is None:
            return
        if self._connection is not None:
            try:
                self._connection.send(None)
            except OSError:
                self._process.kill()
        self._process.join(_FAREWELL)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()


class Turns:
    """Whose weights are in memory: they change once nothing waits for them and all else waits for others."""

    def __init__(self, let_go: Callable[[str], Awaitable[None]]) -> None:
        self._let_go = let_go
        self._holder: str | None = None
        self._inside = 0
        self._waiting: defaultdict[str, deque[asyncio.Future[None]]] = defaultdict(deque)
        self._moving = 0  # jobs that are under way anywhere and don't wait here
        self._changing: asyncio.Task[None] | None = None
        self._closed = False  # between two holders nobody enters
        self.changes = 0

    def began(self) -> None:
        """A job is under way, wherever its role is placed."""
        self._moving += 1

    def ended(self) -> None:
        """It isn't any more, and its facts are stored."""
        self._moving -= 1

    async def enter(self, group: str) -> None:
        """Wait until this group's weights may be in memory."""
        if self._holder is None and not self._closed:
            self._holder = group
        if self._holder == group and not self._closed:
            self._inside += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting[group].append(turn)
        self._moving -= 1
        self._look()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave()
            raise
        finally:
            self._moving += 1

    def leave(self) -> None:
        """A job of the holder has ended."""
        self._inside -= 1
        self._look()

    def _look(self) -> None:
        if self._inside == 0 and any(self._waiting.values()) and self._changing is None:
            self._changing = asyncio.create_task(self._change())

    async def _change(self) -> None:
        try:
            if not await self._idle():
                return
            self._closed = True
            if self._holder is not None:
                await self._let_go(self._holder)
            waiting = {group: [t for t in turns if not t.done()] for group, turns in self._waiting.items()}
            self._waiting.clear()
            self._holder = max(waiting, key=lambda group: len(waiting[group]), default=None)
            for group, turns in waiting.items():
                if group == self._holder:
                    self._inside += len(turns)
                    for turn in turns:
                        turn.set_result(None)
                else:
                    self._waiting[group].extend(turns)
            self.changes += 1
        finally:
            self._closed = False
            self._changing = None
        self._look()

    async def _idle(self) -> bool:
        """Whether the holder stays without work while all else waits, or for longer than is worth waiting."""
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until:
            await asyncio.sleep(_QUIET)
            if self._inside:
                return False
            if self._moving == 0:
                return True
        return self._inside == 0
