"""Roles of fixed latency for the benchmarks, behind "endpoints": what is measured is all that is ours."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar

import numpy as np

from triptych.pixels.picture import Picture, Pixels
from triptych.records import Spec, identify
from triptych.roles import (
    BackendSettings,
    EditDraft,
    EditRequest,
    JudgeRequest,
    PaintRequest,
    PairSubject,
    Placement,
    RoleConfig,
    SceneDraft,
    SceneRequest,
    Scored,
    spec_of,
)


class FixedSettings(BackendSettings):
    """How long a call takes, and how much passes."""

    latency: float = 0.05  # seconds
    pass_rate: float = 1.0


class _Fixed:
    Settings = FixedSettings
    revision: ClassVar[str] = "1"
    placement: ClassVar[Placement] = "io"

    def __init__(self, config: RoleConfig) -> None:
        self._config = config
        self._settings = FixedSettings.model_validate(dict(config.settings))

    @property
    def spec(self) -> Spec:
        return spec_of(self._config, self._settings, self.revision)

    async def _wait(self) -> None:
        await asyncio.sleep(self._settings.latency)


class FixedWriter(_Fixed):
    """Writes numbered texts."""

    async def write(self, requests: Sequence[SceneRequest]) -> list[SceneDraft]:
        await self._wait()
        return [
            SceneDraft(f"scene {r.seed}", tuple(EditDraft(f"edit {n}", "add") for n in range(r.edits)))
            for r in requests
        ]


@lru_cache(maxsize=4)
def textured(width: int, height: int) -> Pixels:
    """A picture with as much detail as a photograph: about 0.6 MB as JPEG at 1024²."""
    rng = np.random.default_rng(0)
    layers = [
        np.kron(rng.normal(0, 1, (height // s + 1, width // s + 1, 3)), np.ones((s, s, 1)))[:height, :width]
        for s in (4, 16, 64)
    ]
    picture = 128 + 4 * layers[0] + 12 * layers[1] + 30 * layers[2]
    return np.clip(picture, 0, 255).astype(np.uint8)


def marked(pixels: Pixels, key: str) -> Pixels:
    """The picture with a patch that hangs on the key: a local edit."""
    edited = pixels.copy()
    height, width = pixels.shape[:2]
    edited[height // 4 : height // 2, width // 4 : width // 2] = list(bytes.fromhex(key[:6]))
    return edited


class FixedPainter(_Fixed):
    """Paints the same texture with another patch."""

    async def paint(self, requests: Sequence[PaintRequest]) -> list[Picture]:
        await self._wait()
        return [
            Picture.from_pixels(
                marked(textured(r.width, r.height), identify("paint", r.prompt, r.seed))
            )
            for r in requests
        ]


class FixedEditor(_Fixed):
    """Puts a patch of another colour into the picture."""

    async def edit(self, requests: Sequence[EditRequest]) -> list[Picture]:
        await self._wait()
        return [
            Picture.from_pixels(
                marked(r.picture.pixels, identify("edit", r.instruction, r.seed))
            )
            for r in requests
        ]


class FixedJudge(_Fixed):
    """Passes a fixed share, by chance that hangs on the picture alone."""

    async def judge(self, requests: Sequence[JudgeRequest]) -> list[tuple[Scored, ...]]:
        await self._wait()
        return [self._answers(request) for request in requests]

    def _answers(self, request: JudgeRequest) -> tuple[Scored, ...]:
        subject = request.subject
        seen = subject.edited if isinstance(subject, PairSubject) else subject.picture
        chance = int(identify("judge", seen.encoded("jpeg").hex()[-200:])[:8], 16) / 2**32
        passes = chance < self._settings.pass_rate
        return tuple(
            Scored((5.0 if passes else 1.0) if q.kind == "score" else float(passes != (q.name == "unasked_change")))
            for q in request.questions
        )
