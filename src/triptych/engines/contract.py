"""What every back end of a role owes, asked of one: `triptych doctor --contract`, and our own tests of each.

It makes a few small calls. Nothing is patched and nothing is looked into: only answers count.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import orjson
from pydantic import ValidationError

from triptych.engines.loading import METHODS, load_backend
from triptych.errors import CallFailed, PictureError
from triptych.mining.jobs import QUESTIONS
from triptych.pixels.picture import Picture
from triptych.records import RoleName
from triptych.roles import (
    BackendSettings,
    EditDraft,
    EditRequest,
    EmbedRequest,
    JudgeRequest,
    Metered,
    PaintRequest,
    PairSubject,
    RoleConfig,
    SceneDraft,
    SceneRequest,
    Scored,
    SourceSubject,
    Unscored,
)

_SIZES = ((128, 96), (96, 128))


async def breaches(config: RoleConfig, *, seeded: bool = True) -> list[str]:
    """What the back end of this config breaks of its role's contract, a line each; empty where it keeps it.

    `seeded`: whether the same seed has to give the same picture. A UserError of the back end's own (no key,
    no weights) is raised; a call that fails by name is no breach.
    """
    found = [*_of_class(config)]
    if found:
        return found
    async with _open(config) as backend:
        first, second = _requests(config.role)
        alone = await _asked(backend, config.role, [first])
        both = await _asked(backend, config.role, [first, second])
        for answers, count in ((alone, 1), (both, 2)):
            if len(answers) != count:
                found.append(f"{METHODS[config.role]} gave {len(answers)} answers to {count} requests")
        if found:
            return found
        for request, answer in zip((first, first, second), (*alone, *both), strict=True):
            found.extend(_of_answer(config.role, request, answer))
        if seeded and not found and config.role in ("painter", "editor"):
            found.extend(_of_seeds(alone[0], both[0]))
    return list(dict.fromkeys(found))


def _of_class(config: RoleConfig) -> list[str]:
    found = []
    backend, again = load_backend(config), load_backend(config)
    kind = type(backend)
    if not issubclass(kind.Settings, BackendSettings):
        found.append("Settings isn't derived from BackendSettings")
    else:
        try:
            kind.Settings.model_validate({**config.settings, "no_such_setting": 1})
            found.append("Settings takes unknown keys: a slip in a recipe would go unseen")
        except ValidationError:
            pass
    if kind.placement not in ("cpu", "io", "gpu"):
        found.append(f"placement is {kind.placement!r}: it may be cpu, io or gpu")
    if backend.spec.id != again.spec.id:
        found.append("two of the same settings have different specs")
    if (backend.spec.role, backend.spec.backend) != (config.role, config.backend):
        found.append("the spec isn't of this role and class: use spec_of(self.config, …)")
    try:
        orjson.dumps(dict(backend.spec.settings))
    except TypeError as error:
        found.append(f"the spec's settings are no JSON ({error})")
    return found


@asynccontextmanager
async def _open(config: RoleConfig) -> AsyncIterator[Any]:
    backend: Any = load_backend(config)
    if hasattr(backend, "ready"):
        backend.ready()
    try:
        yield backend
    finally:
        if hasattr(backend, "close"):
            await backend.close()


async def _asked(backend: Any, role: RoleName, requests: Sequence[object]) -> list[Any]:
    method = getattr(backend, METHODS[role])
    if not asyncio.iscoroutinefunction(method):
        raise TypeError(f"{METHODS[role]} must be an async method")
    return [answer.answer if isinstance(answer, Metered) else answer for answer in await method(requests)]


def trial_picture(width: int, height: int, turn: int = 0) -> Picture:
    """A picture with something in it, as a run would have stored it."""
    across, down = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    pixels = np.stack([across, down, (across + down) / 2], axis=2) * 200 + 20
    pixels[height // 4 : height // 2, width // 4 : width // 2] = (220, 60, 40 + 60 * turn)
    return Picture.from_pixels(pixels.astype(np.uint8)).stored("jpeg")


def _requests(role: RoleName) -> tuple[Any, Any]:
    """Two that differ in everything."""
    pictures = [trial_picture(*size, turn) for turn, size in enumerate(_SIZES)]
    if role == "writer":
        return SceneRequest(1, 1, 2), SceneRequest(2, 3, 3)
    if role == "painter":
        return tuple(
            PaintRequest(f"a red ball on {on}", n, *_SIZES[n]) for n, on in enumerate(("a table", "grass"))
        )  # type: ignore[return-value]
    if role == "editor":
        return EditRequest(pictures[0], "make the square blue", 0), EditRequest(
            pictures[1], "make it darker", 1
        )
    if role == "embedder":
        return EmbedRequest("remove the red ball"), EmbedRequest("make it rain")
    questions = QUESTIONS[role]
    if role == "screen":
        return (
            JudgeRequest(SourceSubject(pictures[0], "a red square"), questions),
            JudgeRequest(SourceSubject(pictures[1], "a green dog"), questions[:1]),
        )
    return (
        JudgeRequest(PairSubject(pictures[0], "make it red", trial_picture(*_SIZES[0], 1)), questions),
        JudgeRequest(PairSubject(pictures[1], "add a dog", pictures[1]), questions[::-1]),
    )


def _of_answer(role: RoleName, request: Any, answer: object) -> list[str]:
    if isinstance(answer, CallFailed):
        return []
    if role == "writer":
        return _of_scene(answer)
    if role in ("painter", "editor"):
        return _of_picture(request, answer)
    if role == "embedder":
        fine = (
            isinstance(answer, np.ndarray)
            and answer.ndim == 1
            and abs(float(np.linalg.norm(answer)) - 1) < 1e-3
        )
        return [] if fine else ["embed must give a unit vector for a text with words"]
    return _of_judgement(request, answer)


def _of_scene(answer: object) -> list[str]:
    if not isinstance(answer, SceneDraft):
        return [f"write gave a {type(answer).__name__}, not a SceneDraft or CallFailed"]
    found = [] if answer.prompt and answer.prompt.strip() else ["a scene without a prompt"]
    if not answer.edits:
        found.append("a scene without edits")
    if any(not isinstance(e, EditDraft) or not e.instruction.strip() or not e.category for e in answer.edits):
        found.append("an edit without instruction or category")
    return found


def _of_picture(request: PaintRequest | EditRequest, answer: object) -> list[str]:
    if not isinstance(answer, Picture):
        return [f"gave a {type(answer).__name__}, not a Picture or CallFailed"]
    asked = request if isinstance(request, PaintRequest) else request.picture
    try:
        shape = answer.pixels.shape
    except PictureError as error:
        return [f"gave a picture that can't be read ({error})"]
    if shape != (asked.height, asked.width, 3):
        return [f"asked for {asked.width}x{asked.height}, got {shape[1]}x{shape[0]}"]
    return []


def _of_judgement(request: JudgeRequest, answer: object) -> list[str]:
    if not isinstance(answer, tuple) or len(answer) != len(request.questions):
        return [f"judge must give a tuple of {len(request.questions)} answers to as many questions"]
    found = []
    for question, item in zip(request.questions, answer, strict=True):
        low, high = (1.0, 5.0) if question.kind == "score" else (0.0, 1.0)
        if isinstance(item, Scored) and not low <= item.value <= high:
            found.append(f"{question.name}: {item.value} isn't within {low:g} to {high:g}")
        elif not isinstance(item, Scored | Unscored):
            found.append(f"{question.name}: a {type(item).__name__}, not Scored or Unscored")
    return found


def _of_seeds(alone: object, batched: object) -> list[str]:
    if not isinstance(alone, Picture) or not isinstance(batched, Picture):
        return []
    if np.array_equal(alone.pixels, batched.pixels):
        return []
    return ["the same request and seed gave another picture in a batch: the seed must decide it"]
