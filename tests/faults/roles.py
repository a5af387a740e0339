"""Roles that fail in their own ways at a few of their calls, and do well when asked again.

Which calls fail hangs on what is asked and on a file that says which have failed already, so that a run's
data set is that of a run without faults.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from tests.mining.standins import StandinEditor, StandinJudge, StandinPainter, StandinSettings, chance
from triptych.errors import InfrastructureError, ModelError
from triptych.pixels.picture import Picture
from triptych.records import hash_bytes
from triptych.roles import Placement, Scored

Ways = ("model_error", "unreached", "hangs", "slow", "none", "wrong_type", "too_many", "not_a_picture", "bug")


class FaultySettings(StandinSettings):
    not_in_spec: ClassVar[frozenset[str]] = StandinSettings.not_in_spec | {"way", "share", "failed"}

    way: str = "model_error"
    share: float = 0.2  # of calls that fail, once each
    failed: str = ""  # folder of the marks


class _Faulty:
    Settings = FaultySettings
    settings: Any

    async def _faulty(self, *key: str | int) -> list[Any] | None:
        """What goes wrong with this call; None where nothing does."""
        name = "-".join(map(str, key))
        mark = Path(self.settings.failed) / f"{hash_bytes(name.encode())}"
        if chance("fault", *key) >= self.settings.share or mark.exists():
            return None
        mark.touch()
        match self.settings.way:
            case "model_error":
                raise ModelError("nonsense")
            case "unreached":
                raise InfrastructureError("connection_reset")
            case "hangs":
                await asyncio.sleep(3600)
            case "slow":
                await asyncio.sleep(0.2)
            case "bug":
                raise ZeroDivisionError("a back end's own mistake")
            case "none":
                return [None]
            case "wrong_type":
                return ["no answer at all"]
            case "too_many":
                return [1, 2, 3]
            case "not_a_picture":
                return [Picture.from_encoded(b"\xff\xd8\xff these bytes only begin like a picture")]
        return None


class FaultyPainter(_Faulty, StandinPainter):
    async def paint(self, requests: Sequence[Any]) -> Any:
        wrong = await self._faulty("paint", requests[0].prompt, requests[0].seed)
        return await StandinPainter.paint(self, requests) if wrong is None else wrong


class FaultyEditor(_Faulty, StandinEditor):
    async def edit(self, requests: Sequence[Any]) -> Any:
        size = int(requests[0].picture.pixels.sum())
        wrong = await self._faulty("edit", requests[0].instruction, requests[0].seed, size)
        return await StandinEditor.edit(self, requests) if wrong is None else wrong


class HangingWorker(StandinEditor):
    """Hangs in a worker process, where nothing but the end of the process ends it."""

    placement: ClassVar[Placement] = "cpu"
    Settings = FaultySettings

    async def edit(self, requests: Sequence[Any]) -> Any:
        mark = Path(self.settings.failed) / "hung"  # type: ignore[attr-defined]
        if not mark.exists():
            mark.touch()
            time.sleep(3600)  # noqa: ASYNC251  (as a kernel of a GPU library would)
        return await StandinEditor.edit(self, requests)


class FaultyJudge(_Faulty, StandinJudge):
    async def judge(self, requests: Sequence[Any]) -> Any:
        subject = requests[0].subject
        seen = getattr(subject, "edited", None) or subject.picture
        wrong = await self._faulty("judge", self.config.role, int(seen.pixels.sum()))
        return await StandinJudge.judge(self, requests) if wrong is None else wrong


class NonsenseJudge(StandinJudge):
    """Answers with numbers that no question allows; never with a usable one."""

    async def judge(self, requests: Sequence[Any]) -> Any:
        return [tuple(Scored(float("nan")) for _ in request.questions) for request in requests]
