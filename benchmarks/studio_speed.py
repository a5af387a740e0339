"""The studio at 1024², one core: medians over settings and operations, for new pictures each time."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from triptych.engines.loading import load_backend
from triptych.errors import CallFailed
from triptych.mining.jobs import QUESTIONS
from triptych.pixels.picture import Picture
from triptych.records import RoleName
from triptych.roles import EditRequest, JudgeRequest, PaintRequest, PairSubject, RoleConfig, SceneRequest
from triptych.wiring import SHIPPED

_SIDE = 1024
_EDITS = 4


def medians(scenes: int) -> dict[str, float]:
    """Seconds for each picture painted, edited, judged by the validator."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_medians(Path(folder), scenes))


async def _medians(folder: Path, scenes: int) -> dict[str, float]:
    roles: tuple[RoleName, ...] = ("writer", "painter", "editor", "validator")
    loaded = {
        role: load_backend(RoleConfig(role, SHIPPED[role]["studio"], {}, run_folder=folder)) for role in roles
    }
    paint: list[float] = []
    judge: list[float] = []
    by_category: dict[str, list[float]] = defaultdict(list)
    for number in range(scenes + 1):
        (draft,) = await loaded["writer"].write([SceneRequest(9_000_000 + number, 1 + number % 5, _EDITS)])  # type: ignore[attr-defined]
        began = time.perf_counter()
        (source,) = await loaded["painter"].paint([PaintRequest(draft.prompt, number, _SIDE, _SIDE)])  # type: ignore[attr-defined]
        seconds = time.perf_counter() - began
        source = source.stored("jpeg")
        for item in draft.edits:
            stored, edit_seconds, judge_seconds = await _edit_and_judge(loaded, source, item.instruction)
            if stored and number:  # the first scene warms caches, models and sprites
                by_category[item.category].append(edit_seconds)
                judge.append(judge_seconds)
        if number:
            paint.append(seconds)
    return {
        "paint_s": round(statistics.median(paint), 3),
        "edit_s": round(statistics.median([statistics.median(found) for found in by_category.values()]), 3),
        "judge_s": round(statistics.median(judge), 3),
    }


async def _edit_and_judge(
    loaded: dict[RoleName, object], source: Picture, text: str
) -> tuple[bool, float, float]:
    began = time.perf_counter()
    (edited,) = await loaded["editor"].edit([EditRequest(source, text, 0)])  # type: ignore[attr-defined]
    edit_seconds = time.perf_counter() - began
    if isinstance(edited, CallFailed):
        return False, 0.0, 0.0
    fresh = Picture.from_encoded(source.encoded("jpeg"))
    subject = PairSubject(fresh, text, edited.stored("jpeg"))
    began = time.perf_counter()
    await loaded["validator"].judge([JudgeRequest(subject, QUESTIONS["validator"])])  # type: ignore[attr-defined]
    return True, edit_seconds, time.perf_counter() - began
