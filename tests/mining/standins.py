"""Stand-ins for the five roles: instant, deterministic from their inputs, with faults on order.

They are injected by name, as a user's own back ends would be, so nothing of ours is patched.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np

from triptych.errors import CallFailed, InfrastructureError, ModelError, Refused
from triptych.pixels.picture import Picture
from triptych.records import Spec, identify
from triptych.roles import (
    BackendSettings,
    EditDraft,
    EditRequest,
    EmbedRequest,
    InvertRequest,
    JoinRequest,
    JudgeRequest,
    PaintRequest,
    PairSubject,
    ParaphraseRequest,
    PhotographRequest,
    Placement,
    RoleConfig,
    SceneDraft,
    SceneRequest,
    Scored,
    Unscored,
    spec_of,
)

CALLS: Counter[str] = Counter()  # by role, in this process


def chance(*parts: str | int) -> float:
    """A number in 0..1 that hangs on the parts alone."""
    return int(identify("chance", *parts)[:8], 16) / 2**32


class StandinSettings(BackendSettings):
    not_in_spec: ClassVar[frozenset[str]] = frozenset({"latency", "marker", "unreachable_calls"})

    latency: float = 0.0
    fail_share: float = 0.0  # of model errors, by job and try
    refuse_share: float = 0.0
    unscored_share: float = 0.0
    unreachable_calls: int = 0  # the first n calls of the process raise InfrastructureError
    marker: str | None = None  # file that says that a worker has died already
    leaning_share: float = 0.0  # of inverses that say "undo"
    pass_rate: float = 0.5


class Standin:
    Settings = StandinSettings
    revision: ClassVar[str] = "1"
    placement: ClassVar[Placement] = "io"

    def __init__(self, config: RoleConfig) -> None:
        self.config = config
        self.settings = self.Settings.model_validate(dict(config.settings))
        self._tries: Counter[str] = Counter()

    @property
    def spec(self) -> Spec:
        return spec_of(self.config, self.settings, self.revision)

    async def _work(self, *key: str | int) -> CallFailed | None:
        role = self.config.role
        if self.settings.latency:
            await asyncio.sleep(self.settings.latency)
        CALLS[role] += 1
        if CALLS[role] <= self.settings.unreachable_calls:
            raise InfrastructureError("connection_refused")
        name = identify("work", role, *key)
        self._tries[name] += 1
        if chance(name, "refuse") < self.settings.refuse_share:
            return Refused("declined")
        if chance(name, self._tries[name]) < self.settings.fail_share:
            return ModelError("nonsense")
        return None


class StandinWriter(Standin):
    async def write(self, requests: Sequence[SceneRequest]) -> list[SceneDraft | CallFailed]:
        out: list[SceneDraft | CallFailed] = []
        for request in requests:
            failed = await self._work(request.seed)
            edits = tuple(
                EditDraft(f"instruction {number} of {request.seed}", ("add", "remove", "color")[number % 3])
                for number in range(request.edits)
            )
            out.append(failed or SceneDraft(f"scene {request.seed}", edits))
        return out

    async def invert(self, requests: Sequence[InvertRequest]) -> list[str | CallFailed]:
        out: list[str | CallFailed] = []
        for request in requests:
            failed = await self._work("invert", request.instruction, request.seed)
            leans = chance("leans", request.instruction, request.seed) < self.settings.leaning_share
            word = "undo" if leans else "do the reverse of"
            out.append(failed or f"{word} {request.instruction}")
        return out

    async def join(self, requests: Sequence[JoinRequest]) -> list[str | CallFailed]:
        failed = [await self._work("join", r.first, r.second, r.seed) for r in requests]
        return [
            no or f"{request.first} and {request.second}"
            for no, request in zip(failed, requests, strict=True)
        ]

    async def paraphrase(self, requests: Sequence[ParaphraseRequest]) -> list[tuple[str, ...] | CallFailed]:
        out: list[tuple[str, ...] | CallFailed] = []
        for request in requests:
            failed = await self._work("paraphrase", request.instruction, request.seed)
            texts = (request.instruction.upper(), f"{request.instruction} now", f"do, {request.instruction}")
            out.append(failed or (*texts, f"{request.instruction} NOW"))
        return out

    async def describe(self, requests: Sequence[PhotographRequest]) -> list[SceneDraft | CallFailed]:
        edits = (EditDraft("make it warmer", "color_correction"), EditDraft("make it rain", "weather"))
        return [SceneDraft(None, edits[: request.edits]) for request in requests]


def noise(seed: str, width: int, height: int) -> np.ndarray:
    """A small textured picture that hangs on the seed alone."""
    coarse = np.random.default_rng(int(seed[:8], 16)).integers(0, 255, (height // 8, width // 8, 3))
    return coarse.repeat(8, 0).repeat(8, 1).astype(np.uint8)


class StandinPainter(Standin):
    async def paint(self, requests: Sequence[PaintRequest]) -> list[Picture | CallFailed]:
        out: list[Picture | CallFailed] = []
        for request in requests:
            key = identify("paint", request.prompt, request.seed, request.width, request.height)
            failed = await self._work(key)
            out.append(failed or Picture.from_pixels(noise(key, request.width, request.height)))
        return out


class StandinEditor(Standin):
    async def edit(self, requests: Sequence[EditRequest]) -> list[Picture | CallFailed]:
        out: list[Picture | CallFailed] = []
        for request in requests:
            pixels = request.picture.pixels
            key = identify("edit", request.instruction, request.seed, int(pixels.sum()))
            failed = await self._work(key)
            edited = pixels.copy()
            height, width = pixels.shape[:2]
            edited[: height // 2, : width // 2] = int(key[:2], 16)
            out.append(failed or Picture.from_pixels(edited))
        return out


class StandinJudge(Standin):
    async def judge(
        self, requests: Sequence[JudgeRequest]
    ) -> list[tuple[Scored | Unscored, ...] | CallFailed]:
        out: list[tuple[Scored | Unscored, ...] | CallFailed] = []
        for request in requests:
            subject = request.subject
            seen = subject.edited if isinstance(subject, PairSubject) else subject.picture
            key = identify("judge", self.config.role, int(seen.pixels.astype(np.int64).sum()))
            failed = await self._work(key)
            out.append(failed or tuple(self._answer(key, question.name) for question in request.questions))
        return out

    def _answer(self, key: str, question: str) -> Scored | Unscored:
        if chance(key, "unscored") < self.settings.unscored_share:
            return Unscored("unparsable")
        passes = chance(key, "passes") < self.settings.pass_rate
        if question in ("adherence", "aesthetics"):
            return Scored(4.7 + 0.3 * chance(key, question) if passes else 1 + 3.5 * chance(key, question))
        return Scored(float(passes != (question == "unasked_change")))


class StandinEmbedder(Standin):
    """Knows meanings: whatever says "now" is in a hurry, and means something else."""

    knows_meaning: ClassVar[bool] = True

    async def embed(self, requests: Sequence[EmbedRequest]) -> list[np.ndarray | CallFailed]:
        failed = await self._work("embed", *(request.text for request in requests))
        hurry = [request.text.endswith("now") for request in requests]
        return [failed or np.array([1 - now, now], np.float32) for now in hurry]


class DyingEditor(StandinEditor):
    """Takes its worker process along, once for each file that `marker` names."""

    placement: ClassVar[Placement] = "cpu"

    async def edit(self, requests: Sequence[EditRequest]) -> list[Picture | CallFailed]:
        if not os.path.exists(str(self.settings.marker)):  # noqa: PTH110, ASYNC240  (it is about to die)
            os.close(os.open(str(self.settings.marker), os.O_CREAT))
            os._exit(9)
        return await StandinEditor.edit(self, requests)


class SeedlessEditor(StandinEditor):
    """Gives the same picture whatever the seed."""

    async def edit(self, requests: Sequence[EditRequest]) -> list[Picture | CallFailed]:
        return await StandinEditor.edit(self, [replace(request, seed=0) for request in requests])


class TwinWriter(StandinWriter):
    """Writes the same scene for the first and the third brief, the first one later."""

    async def write(self, requests: Sequence[SceneRequest]) -> list[SceneDraft | CallFailed]:
        (request,) = requests
        if request.seed == 0:
            await asyncio.sleep(0.05)
        return await StandinWriter.write(self, [replace(request, seed=request.seed % 2)])


class ChangingPainter(StandinPainter):
    """Paints something else each time that it is asked for the same."""

    async def paint(self, requests: Sequence[PaintRequest]) -> list[Picture | CallFailed]:
        CALLS["changing"] += 1
        return await StandinPainter.paint(
            self, [replace(r, seed=r.seed + CALLS["changing"]) for r in requests]
        )
