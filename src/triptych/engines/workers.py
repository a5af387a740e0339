"""What runs on a worker: it loads the back ends it needs, on first use, and does one job at a time."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Mapping

import cv2

from triptych.engines.loading import load_backend
from triptych.ledger.images import ImageStore
from triptych.mining.jobs import Job
from triptych.mining.perform import Bench, Done, in_place, perform
from triptych.records import ImageFormat, RoleName, Spec
from triptych.roles import Backend, RoleConfig


class LoadedRoles:
    """The back ends of one process, each loaded when it is first asked for."""

    def __init__(self, configs: Mapping[RoleName, RoleConfig]) -> None:
        self._configs = configs
        self._loaded: dict[RoleName, Backend] = {}
        self._specs: dict[RoleName, Spec] = {}

    def backend(self, role: RoleName) -> Backend:
        """The back end that fills a role."""
        if role not in self._loaded:
            self._loaded[role] = load_backend(self._configs[role])
        return self._loaded[role]

    def spec(self, role: RoleName) -> Spec:
        """What determines its answers."""
        if role not in self._specs:
            self._specs[role] = self.backend(role).spec
        return self._specs[role]

    def check_ready(self) -> None:
        """Raise UserError where a back end that can tell says that it can't work, e.g. for want of a key."""
        for role in self._configs:
            ready = getattr(self.backend(role), "ready", None)
            if ready is not None:
                ready()

    async def close(self) -> None:
        """Have the back ends that were loaded let go of what they hold, e.g. connections."""
        for backend in self._loaded.values():
            close = getattr(backend, "close", None)
            if close is not None:
                await close()

    def price(self, role: RoleName) -> float | None:
        """Price of one call, where the recipe gives it."""
        return self._configs[role].price_per_call if role in self._configs else None

    def seconds(self, role: RoleName) -> float | None:
        """Nominal model-seconds of one call, where the recipe gives them."""
        return self._configs[role].seconds_per_call if role in self._configs else None


_bench: Bench | None = None
_runner = asyncio.Runner()  # one event loop for all of a worker's jobs


def start_worker(
    configs: Mapping[RoleName, RoleConfig], images: ImageStore, image_format: ImageFormat, parent: int
) -> None:
    """Make this process a worker with back ends of its own."""
    global _bench  # noqa: PLW0603  (a process pool gives its workers no other place to keep something)
    become_worker(parent)
    _bench = Bench(LoadedRoles(configs), images, image_format, in_place)


def become_worker(parent: int) -> None:
    """Make this process a worker: one thread for pixels, deaf to Ctrl-C, gone when its parent is."""
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # the miner decides when to stop, and finishes calls in flight
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):  # the parent held it back until here
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    cv2.setNumThreads(1)
    threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()


def work(job: Job, number: int) -> Done:
    """Do a job in this process."""
    assert _bench is not None  # noqa: S101  (the pool ran start_worker)
    return _runner.run(perform(job, number, _bench))


def _leave_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
