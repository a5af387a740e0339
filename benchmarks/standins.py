"""Roles of fixed latency for the benchmarks, behind "endpoints", that cost next to nothing themselves.

Their pictures are plain and tiny, and differ in a comment within the file: what is measured is the loop. What
pixels cost is measured on textured pictures of 1024², by `measure_pixels`.
"""

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
        for s in (2, 4, 16, 64)
    ]
    picture = 128 + 5.3 * layers[0] + 4 * layers[1] + 12 * layers[2] + 30 * layers[3]
    return np.clip(picture, 0, 255).astype(np.uint8)


def marked(pixels: Pixels, key: str) -> Pixels:
    """The picture with a patch that hangs on the key: a local edit."""
    edited = pixels.copy()
    height, width = pixels.shape[:2]
    edited[height // 4 : height // 2, width // 4 : width // 2] = list(bytes.fromhex(key[:6]))
    return edited


@lru_cache(maxsize=64)
def _plain(width: int, height: int, patched: bool) -> bytes:
    """A grey JPEG, with or without a red patch: all the pixels that the fakes ever make."""
    pixels = np.full((height, width, 3), 128, np.uint8)
    if patched:
        pixels[height // 4 : height // 2, width // 4 : width // 2] = (200, 40, 40)
    return Picture.from_pixels(pixels).encoded("jpeg")


def _signed(jpeg: bytes, text: str) -> Picture:
    """The same picture in a file of its own: the text goes into a comment segment behind the first marker."""
    comment = text.encode()
    return Picture.from_encoded(
        jpeg[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + jpeg[2:]
    )


class FixedPainter(_Fixed):
    """Signs a plain picture."""

    async def paint(self, requests: Sequence[PaintRequest]) -> list[Picture]:
        await self._wait()
        return [
            _signed(_plain(r.width, r.height, False), identify("paint", r.prompt, r.seed)) for r in requests
        ]


class FixedEditor(_Fixed):
    """Signs a plain picture with a patch."""

    async def edit(self, requests: Sequence[EditRequest]) -> list[Picture]:
        await self._wait()
        return [self._edited(request) for request in requests]

    def _edited(self, request: EditRequest) -> Picture:
        signature = request.picture.encoded("jpeg")[6:38].decode()
        plain = _plain(request.picture.width, request.picture.height, True)
        return _signed(plain, identify("edit", signature, request.instruction, request.seed))


class FixedJudge(_Fixed):
    """Passes a fixed share, by chance that hangs on the picture's signature alone."""

    async def judge(self, requests: Sequence[JudgeRequest]) -> list[tuple[Scored, ...]]:
        await self._wait()
        return [self._answers(request) for request in requests]

    def _answers(self, request: JudgeRequest) -> tuple[Scored, ...]:
        subject = request.subject
        seen = subject.edited if isinstance(subject, PairSubject) else subject.picture
        chance = int(seen.encoded("jpeg")[6:14], 16) / 2**32
        passes = chance < self._settings.pass_rate
        return tuple(
            Scored(
                (5.0 if passes else 1.0)
                if q.kind == "score"
                else float(passes != (q.name == "unasked_change"))
            )
            for q in request.questions
        )
