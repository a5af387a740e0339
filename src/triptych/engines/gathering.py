"""What runs on a worker with a GPU: many jobs at once, whose requests to the model are gathered into batches.

While the model is busy, other jobs load, decode, store and measure. Requests that wait together and are alike
share the next batch, up to what the back end takes.
"""

from __future__ import annotations

import asyncio
import pickle
import threading
import time
import traceback
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

from triptych.engines.workers import LoadedRoles, become_worker
from triptych.errors import CallFailed, ModelError
from triptych.ledger.images import ImageStore
from triptych.mining.jobs import Job
from triptych.mining.perform import Bench, CrunchThreads, perform
from triptych.mining.recent import Recent
from triptych.records import ImageFormat, Receipt, RoleName
from triptych.roles import Backend, Metered, RoleConfig

_ASKED = frozenset({"write", "describe", "invert", "join", "paraphrase", "paint", "edit", "judge", "embed"})
_LINGER = 0.005  # seconds that a batch waits for requests that come along with the first
_PASSED_OVER = 4  # batches that a request may see go before it, then its own kind is next
_RECENT_BYTES = 256_000_000  # of images kept at hand
_THREADS = 4  # for codecs and checks, beside the model

# key; what to do: a job, load what a role needs, or let go of the weights (None); number of the try
Message = tuple[int, Job | RoleName | None, int]


@dataclass(slots=True)
class _Waiting:
    method: str
    request: Any
    kind: Hashable
    answer: asyncio.Future[Any]
    passed_over: int = 0


class Gathered:
    """A back end whose waiting requests are made in batches of like ones.

    It may say `largest_batch()` (else one at a time) and `batch_key(request)` (else all are alike). If it has
    a `load()`, that is awaited before each batch, outside the seconds that are counted.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._waiting: list[_Waiting] = []
        self._working: asyncio.Task[None] | None = None

    def __getattr__(self, name: str) -> Any:
        if name in _ASKED:
            return partial(self._ask, name)
        return getattr(self._backend, name)

    async def _ask(self, method: str, requests: Sequence[Any]) -> list[Any]:
        loop = asyncio.get_running_loop()
        entries = [
            _Waiting(method, r, (method, self._kind(method, r)), loop.create_future()) for r in requests
        ]
        self._waiting.extend(entries)
        if self._working is None or self._working.done():
            self._working = loop.create_task(self._work())
        return list(await asyncio.gather(*(entry.answer for entry in entries)))

    def _kind(self, method: str, request: Any) -> Hashable:
        key: Callable[[Any], Hashable] | None = getattr(self._backend, "batch_key", None)
        return key(request) if key is not None and method in ("paint", "edit", "judge") else None

    def _largest(self) -> int:
        largest: Callable[[], int] | None = getattr(self._backend, "largest_batch", None)
        return 1 if largest is None else max(1, largest())

    async def _work(self) -> None:
        if self._largest() > 1:
            await asyncio.sleep(_LINGER)
        while self._waiting:
            batch = self._next()
            call = asyncio.ensure_future(self._call(batch))
            await asyncio.wait([call])
            error = call.exception()
            answers = [None] * len(batch) if error else call.result()
            for entry, answer in zip(batch, answers, strict=True):
                if entry.answer.done():
                    continue
                if error is not None:
                    entry.answer.set_exception(error)
                else:
                    entry.answer.set_result(answer)

    def _next(self) -> list[_Waiting]:
        """The fullest batch of like requests, or that of one that was passed over too often."""
        kinds: dict[Hashable, list[_Waiting]] = {}
        for entry in self._waiting:
            kinds.setdefault(entry.kind, []).append(entry)
        most = self._largest()
        oldest = self._waiting[0]
        fullest = max(kinds.values(), key=lambda entries: min(len(entries), most))
        chosen = kinds[oldest.kind] if oldest.passed_over >= _PASSED_OVER else fullest
        batch = chosen[:most]
        taken = {id(entry) for entry in batch}
        self._waiting = [entry for entry in self._waiting if id(entry) not in taken]
        for entry in self._waiting:
            entry.passed_over += 1
        return batch

    async def _call(self, batch: Sequence[_Waiting]) -> list[Metered[Any]]:
        load = getattr(self._backend, "load", None)
        if load is not None:
            await load()
        began = time.perf_counter()
        try:
            answers = await getattr(self._backend, batch[0].method)([entry.request for entry in batch])
        except CallFailed as failure:
            answers = [failure] * len(batch)
        if len(answers) != len(batch):
            wrong = ModelError("wrong_count", f"{len(answers)} answers to {len(batch)} requests")
            answers = [wrong] * len(batch)
        share = (time.perf_counter() - began) / len(batch)
        return [_timed(answer, share) for answer in answers]


def _timed(answer: Any, share: float) -> Metered[Any]:
    """The answer with its share of the batch's seconds, where it doesn't say its own."""
    if not isinstance(answer, Metered):
        return Metered(answer, Receipt(seconds=share))
    if answer.receipt.seconds is None:
        return Metered(answer.answer, replace(answer.receipt, seconds=share))
    return answer


class _GatheredRoles(LoadedRoles):
    """The back ends of this worker, each gathered."""

    def __init__(self, configs: Mapping[RoleName, RoleConfig]) -> None:
        super().__init__(configs)
        self._gathered: dict[RoleName, Gathered] = {}
        self._loading = asyncio.Lock()

    def backend(self, role: RoleName) -> Any:
        """The back end that fills a role; its requests are gathered."""
        if role not in self._gathered:
            self._gathered[role] = Gathered(super().backend(role))
        return self._gathered[role]

    async def load(self, role: RoleName) -> None:
        """Have what a role needs in memory, one after the other."""
        load = getattr(self.backend(role), "load", None)
        if load is not None:
            async with self._loading:
                await load()

    def release(self) -> None:
        """Have every back end let go of its weights."""
        for gathered in self._gathered.values():
            release = getattr(gathered, "release", None)
            if release is not None:
                release()


def serve(
    connection: Connection,
    configs: Mapping[RoleName, RoleConfig],
    images: ImageStore,
    image_format: ImageFormat,
    parent: int,
) -> None:
    """Do the jobs that come over a connection, as many at once as come, until it is closed."""
    become_worker(parent)
    asyncio.run(_serve(connection, configs, images, image_format))


async def _serve(
    connection: Connection,
    configs: Mapping[RoleName, RoleConfig],
    images: ImageStore,
    image_format: ImageFormat,
) -> None:
    roles = _GatheredRoles(configs)
    crunch = CrunchThreads(_THREADS)
    bench = Bench(roles, images, image_format, crunch, Recent(_RECENT_BYTES))
    inbox: asyncio.Queue[Message | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def read() -> None:
        while True:
            try:
                message = connection.recv()
            except (EOFError, OSError):
                message = None
            loop.call_soon_threadsafe(inbox.put_nowait, message)
            if message is None:
                return

    threading.Thread(target=read, daemon=True).start()
    running: set[asyncio.Task[Any]] = set()
    while (message := await inbox.get()) is not None:
        key, job, number = message
        if job is None:
            roles.release()
            connection.send((key, None, None))
            continue
        doing = roles.load(job) if isinstance(job, str) else perform(job, number, bench)
        task: asyncio.Task[Any] = asyncio.create_task(doing)
        running.add(task)
        task.add_done_callback(running.discard)
        task.add_done_callback(partial(_report, connection, key))
    crunch.close()


def _report(connection: Connection, key: int, task: asyncio.Task[Any]) -> None:
    """Send what a job gave, or what it raised: a bug, which is told with its trace."""
    if task.cancelled():
        return
    error = task.exception()
    if error is None:
        connection.send((key, task.result(), None))
        return
    error.add_note("".join(traceback.format_exception(error)))
    connection.send((key, None, _sendable(error)))


def _sendable(error: BaseException) -> BaseException:
    """The error, if it survives the way."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301  (our own bytes)
    except (pickle.PicklingError, TypeError, AttributeError):
        return RuntimeError("".join(traceback.format_exception(error)))
    return error
