"""Stand-ins that are placed on a GPU: they take time to load, work in batches, and keep a log of it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from tests.mining import standins
from triptych.errors import CallFailed
from triptych.pixels.picture import Picture
from triptych.roles import EditRequest, JudgeRequest, PaintRequest, Placement


class GpuSettings(standins.StandinSettings):
    not_in_spec: ClassVar[frozenset[str]] = standins.StandinSettings.not_in_spec | {
        "log",
        "load_seconds",
        "batch_seconds",
        "batch",
        "shared",
    }

    log: str | None = None  # a line for each load, batch and release
    load_seconds: float = 0.0
    batch_seconds: float = 0.0
    batch: int = 4
    shared: str | None = None  # name of the weights that roles share
    crash_on: str | None = None  # a file; the worker dies once for it


_loaded: set[str] = set()


class OnGpu:
    """Mixed into a stand-in."""

    Settings = GpuSettings
    placement: ClassVar[Placement] = "gpu"
    settings: Any
    config: Any

    @property
    def weights(self) -> str:
        return self.settings.shared or self.config.role

    def largest_batch(self) -> int:
        return int(self.settings.batch)

    def batch_key(self, request: Any) -> Hashable:
        if isinstance(request, PaintRequest):
            return request.width, request.height
        return None

    async def load(self) -> None:
        if self.weights not in _loaded:
            await asyncio.sleep(self.settings.load_seconds)
            _loaded.add(self.weights)
            self._tell(f"load {self.weights}")

    def release(self) -> None:
        if self.weights in _loaded:
            _loaded.discard(self.weights)
            self._tell(f"release {self.weights}")

    async def batch(self, requests: Sequence[Any]) -> None:
        marker = self.settings.crash_on
        if marker is not None and not Path(marker).exists():  # noqa: ASYNC240  (it is about to die)
            Path(marker).touch()  # noqa: ASYNC240
            os._exit(9)
        await asyncio.sleep(self.settings.batch_seconds)
        sizes = {self.batch_key(request) for request in requests}
        assert len(sizes) == 1
        assert self.weights in _loaded
        self._tell(f"batch {self.config.role} {len(requests)} {os.getpid()} {time.time():.3f}")

    def _tell(self, line: str) -> None:
        if self.settings.log is not None:
            with Path(self.settings.log).open("a", encoding="utf-8") as file:
                file.write(line + "\n")


class GpuPainter(OnGpu, standins.StandinPainter):
    async def paint(self, requests: Sequence[PaintRequest]) -> list[Picture | CallFailed]:
        await self.batch(requests)
        return await standins.StandinPainter.paint(self, requests)


class GpuEditor(OnGpu, standins.StandinEditor):
    async def edit(self, requests: Sequence[EditRequest]) -> list[Picture | CallFailed]:
        await self.batch(requests)
        return await standins.StandinEditor.edit(self, requests)


class GpuJudge(OnGpu, standins.StandinJudge):
    async def judge(self, requests: Sequence[JudgeRequest]) -> list[Any]:
        await self.batch(requests)
        return await standins.StandinJudge.judge(self, requests)
