"""`triptych doctor`: is this machine fit, do a recipe's back ends answer, does a class keep the contract?"""

from __future__ import annotations

import asyncio
import importlib
import multiprocessing
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
import orjson
from pydantic import ValidationError

from triptych import __version__
from triptych.engines.cores import usable_cores
from triptych.engines.loading import METHODS, load_backend
from triptych.errors import CallFailed, UserError
from triptych.mining.jobs import QUESTIONS
from triptych.mining.opening import write_job
from triptych.pixels.photographs import find_photographs
from triptych.pixels.picture import Picture
from triptych.recipe import Recipe, load_recipe
from triptych.records import RoleName
from triptych.roles import (
    EditRequest,
    EmbedRequest,
    JudgeRequest,
    PaintRequest,
    PairSubject,
    PhotographRequest,
    RoleConfig,
    SceneDraft,
    Scored,
    SourceSubject,
    Unscored,
)
from triptych.wiring import role_configs

_LOW_DISK = 2e9  # bytes


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at."""

    name: str
    fine: bool
    detail: str


def doctor(recipe: Path | None, contract: str | None, *, json: bool = False) -> int:
    """Print findings; 1 if any isn't fine."""
    findings = list(_machine())
    if recipe is not None:
        findings.extend(_recipe(load_recipe(recipe)))
    if contract is not None:
        findings.extend(_contract(contract))
    if json:
        listed = [{"name": f.name, "fine": f.fine, "detail": f.detail} for f in findings]
        sys.stdout.write(orjson.dumps({"findings": listed}, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        for finding in findings:
            print(f"{'ok  ' if finding.fine else 'MEND'}  {finding.name}: {finding.detail}")
    return 0 if all(finding.fine for finding in findings) else 1


def _machine() -> Iterator[Finding]:
    python = platform.python_version()
    yield Finding("triptych", True, f"{__version__} on Python {python}, {sys.platform} {platform.machine()}")
    for package in ("numpy", "opencv-python-headless", "pillow", "simplejpeg", "sqlalchemy"):
        try:
            yield Finding(package, True, metadata.version(package))
        except metadata.PackageNotFoundError:
            yield Finding(package, False, "not installed: pip install triptych brings it")
    yield Finding("cores", True, str(usable_cores()))
    free = shutil.disk_usage(Path.cwd()).free
    yield Finding(
        "disk",
        free > _LOW_DISK,
        f"{free / 1e9:.1f} GB free here"
        + ("" if free > _LOW_DISK else ": a run needs about 0.1 GB a thousand pictures at 0.25 Mpx"),
    )


def _recipe(recipe: Recipe) -> Iterator[Finding]:
    """Ask every back end of the recipe once, in the order of the loop, on what the one before gave."""
    yield Finding("recipe", True, recipe.name)
    with tempfile.TemporaryDirectory() as folder:
        configs = role_configs(recipe, Path(folder))
        with _process() as process:
            for role, config in configs.items():
                asked = process.submit(_ask, recipe, role, config)
                error = asked.exception()
                yield Finding(
                    role.replace("_", " "), error is None, _told(error) if error else asked.result()
                )
                if error:
                    return


@contextmanager
def _process() -> Iterator[ProcessPoolExecutor]:
    """A process that a back end may take down without us; what is raised there comes back."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        yield process


_trial: _Trial | None = None  # of the process that asks


def _ask(recipe: Recipe, role: RoleName, config: RoleConfig) -> str:
    global _trial  # noqa: PLW0603  (a process pool gives its workers no other place to keep something)
    _trial = _trial or _Trial(recipe)
    began = time.perf_counter()
    told = asyncio.run(_trial.ask(role, config))
    return f"{told} in {time.perf_counter() - began:.2f} s"


def _told(error: BaseException) -> str:
    """An error in a line."""
    if isinstance(error, BrokenProcessPool):
        return (
            "its process died: the back end crashes, exits, or memory runs out; mend it, or use a smaller one"
        )
    if isinstance(error, ValidationError):
        return "; ".join(f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in error.errors())
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


class _Trial:
    """One pass through the loop: a scene, a source, an edit, three judgements."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self._draft: SceneDraft | None = None
        self._source: Picture | None = None
        self._edited: Picture | None = None

    async def ask(self, role: RoleName, config: RoleConfig) -> str:
        """What the back end answered, in a few words. UserError where it breaks the contract."""
        backend = load_backend(config)
        requests: list[object]
        if role == "writer":
            method, requests = self._to_write()
        elif role == "painter":
            method, requests = "paint", [PaintRequest(self._prompt(), 0, 512, 384)]
        elif role == "editor":
            method, requests = "edit", [EditRequest(self._picture(), self._instruction(), 0)]
        elif role == "embedder":
            method, requests = "embed", [EmbedRequest(self._instruction())]
        else:
            method, requests = "judge", [self._to_judge(role)]
        answers = await getattr(backend, method)(requests)
        if not isinstance(answers, list | tuple) or len(answers) != 1:
            raise UserError(f"{method} must give one answer for each request, in a list")
        if isinstance(answers[0], CallFailed):
            raise answers[0]
        return self._take(role, answers[0])

    def _to_write(self) -> tuple[str, list[object]]:
        if self._recipe.photographs is None:
            return "write", [write_job(self._recipe, 0).request]
        find_photographs(self._recipe.photographs.folder)
        ramp = np.linspace(0, 255, 512 * 384 * 3).reshape(384, 512, 3).astype(np.uint8)
        self._source = Picture.from_pixels(ramp).stored(self._recipe.image_format)
        return "describe", [PhotographRequest(0, self._source, self._recipe.edits_per_scene)]

    def _to_judge(self, role: RoleName) -> JudgeRequest:
        questions = QUESTIONS[role]
        if role == "screen":
            return JudgeRequest(SourceSubject(self._picture(), self._prompt()), questions)
        edited = self._edited or self._picture()
        return JudgeRequest(PairSubject(self._picture(), self._instruction(), edited), questions)

    def _take(self, role: RoleName, answer: object) -> str:
        if role == "writer" and isinstance(answer, SceneDraft):
            self._draft = answer
            return f"wrote {len(answer.edits)} edits"
        if role in ("painter", "editor") and isinstance(answer, Picture):
            stored = answer.stored(self._recipe.image_format)
            if role == "painter":
                self._source = stored
            else:
                self._edited = stored
            return f"made {stored.width}x{stored.height}"
        if isinstance(answer, tuple) and all(isinstance(item, Scored | Unscored) for item in answer):
            if len(answer) != len(QUESTIONS[role]):
                raise UserError(f"{len(answer)} answers to {len(QUESTIONS[role])} questions")
            told = [f"{item.value:.2f}" if isinstance(item, Scored) else item.reason for item in answer]
            return f"answered {', '.join(told)}"
        if role == "embedder" and isinstance(answer, np.ndarray) and answer.ndim == 1:
            return f"gave a vector of {len(answer)} numbers"
        raise UserError(f"gave a {type(answer).__name__}; docs/backends.md says what a {role} gives")

    def _prompt(self) -> str:
        return (self._draft.prompt if self._draft else None) or "a red ball on a table"

    def _instruction(self) -> str:
        return self._draft.edits[0].instruction if self._draft and self._draft.edits else "make it warmer"

    def _picture(self) -> Picture:
        if self._source is None:
            ramp = np.linspace(0, 255, 512 * 384 * 3).reshape(384, 512, 3).astype(np.uint8)
            self._source = Picture.from_pixels(ramp).stored(self._recipe.image_format)
        return self._source


def _contract(target: str) -> Iterator[Finding]:
    """Whether a class has what its role needs; the role is told by its method."""
    with _process() as process:
        asked = process.submit(_methods, target)
        if error := asked.exception():
            if isinstance(error, UserError):
                raise error
            yield Finding(target, False, _told(error))
            return
        methods = asked.result()
        if not methods:
            wanted = ", ".join(sorted(set(METHODS.values())))
            yield Finding(target, False, f"has none of the methods {wanted}")
        for role, method in METHODS.items():
            if method in methods and role not in ("soft_filter", "screen"):
                loaded = process.submit(_spec_of, RoleConfig(role, target, {}))
                error = loaded.exception()
                told = (
                    f"as {role}: {_told(error)}" if error else f"loads as {role}; spec {loaded.result()[:8]}"
                )
                yield Finding(target, error is None, told)


def _methods(target: str) -> set[str]:
    """Which of the roles' methods a class has."""
    module, _, name = target.partition(":")
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ImportError as error:
        raise UserError(f"{target} can't be imported ({error}); install it or mend the name") from None
    return {method for method in METHODS.values() if hasattr(found, method)}


def _spec_of(config: RoleConfig) -> str:
    return load_backend(config).spec.id
