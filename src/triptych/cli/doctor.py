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
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from pydantic import ValidationError

from triptych import __version__
from triptych.datasets.licences import licence_of, terms_let_train
from triptych.engines.contract import breaches, trial_picture
from triptych.engines.cores import usable_cores
from triptych.engines.loading import METHODS, load_backend
from triptych.errors import CallFailed, UserError
from triptych.mining.jobs import QUESTIONS
from triptych.mining.opening import write_job
from triptych.pixels.photographs import find_photographs
from triptych.pixels.picture import Picture
from triptych.recipe import Recipe, load_recipe
from triptych.records import Receipt, RoleName
from triptych.roles import (
    EditRequest,
    EmbedRequest,
    JudgeRequest,
    Metered,
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


def doctor(
    recipe: Path | None, contract: str | None, overrides: Sequence[str] = (), *, json: bool = False
) -> int:
    """Print findings; 1 if any isn't fine."""
    findings = list(_machine())
    if recipe is not None:
        findings.extend(_recipe(load_recipe(recipe, overrides)))
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
    """Look at every back end without spending anything; if all are fine, ask each once.

    They are asked in the order of the loop, on what the one before gave.
    """
    yield Finding("recipe", True, recipe.name)
    with tempfile.TemporaryDirectory() as folder, _process() as process:
        configs = role_configs(recipe, Path(folder))
        fine = True
        for role, config in configs.items():
            looked = process.submit(_look, config)
            error = looked.exception()
            fine = fine and error is None
            yield Finding(_named(role), error is None, _told(error) if error else looked.result())
        if not fine:
            return
        for role, config in configs.items():
            asked = process.submit(_ask, recipe, role, config)
            error = asked.exception()
            yield Finding(f"{_named(role)}, asked", error is None, _told(error) if error else asked.result())
            if isinstance(error, BrokenProcessPool):
                return


def _named(role: RoleName) -> str:
    return role.replace("_", " ")


def _look(config: RoleConfig) -> str:
    """What can be said of a back end before it is asked: is all there that it needs, and its licence."""
    backend: Any = load_backend(config)
    told = []
    if hasattr(backend, "ready"):
        backend.ready()
    if hasattr(backend, "reach"):
        told.append(asyncio.run(_reached(backend)))
    told.append(_licence(backend))
    return "; ".join(told)


async def _reached(backend: Any) -> str:
    try:
        return str(await backend.reach())
    finally:
        await backend.close()


def _licence(backend: Any) -> str:
    terms = getattr(backend.settings, "known_terms", None) if hasattr(backend, "settings") else None
    licence = licence_of(backend.spec)
    named = terms or (licence.name if licence else None)
    if named is None:
        return "licence not known: see to it before you publish what comes of it"
    train = terms_let_train(terms) if terms else licence is not None and licence.outputs_may_train
    return f"{named}" if train else f"{named}: outputs may not train a competing model; exports ask first"


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


def _cost(receipt: Receipt) -> str:
    parts = []
    if receipt.tokens_in is not None or receipt.tokens_out is not None:
        parts.append(f"{receipt.tokens_in or 0:,} + {receipt.tokens_out or 0:,} tokens")
    if receipt.price is not None:
        parts.append(f"price {receipt.price:.4f}")
    if receipt.warning is not None:
        parts.append(receipt.warning)
    return f" ({'; '.join(parts)})" if parts else ""


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
        try:
            answers = await getattr(backend, method)(requests)
        finally:
            if hasattr(backend, "close"):
                await backend.close()
        if not isinstance(answers, list | tuple) or len(answers) != 1:
            raise UserError(f"{method} must give one answer for each request, in a list")
        answer: Any = answers[0]
        cost = ""
        if isinstance(answer, Metered):
            answer, cost = answer.answer, _cost(answer.receipt)
        if isinstance(answer, CallFailed):
            raise answer
        return self._take(role, answer) + cost

    def _to_write(self) -> tuple[str, list[object]]:
        if self._recipe.photographs is None:
            return "write", [write_job(self._recipe, 0).request]
        find_photographs(self._recipe.photographs.folder)
        self._source = trial_picture(512, 384).stored(self._recipe.image_format)
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
            if not any(isinstance(item, Scored) for item in answer):
                raise UserError(f"answered nothing that can be used: {', '.join(dict.fromkeys(told))}")
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
            self._source = trial_picture(512, 384).stored(self._recipe.image_format)
        return self._source


def _contract(target: str) -> Iterator[Finding]:
    """Whether a class keeps the contract of its role, told by its method. It is asked a few times."""
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
                checked = process.submit(_breaches, RoleConfig(role, target, {}))
                error = checked.exception()
                broken = [_told(error)] if error else checked.result()
                yield Finding(target, not broken, f"as {role}: {'; '.join(broken) or 'keeps the contract'}")


def _methods(target: str) -> set[str]:
    """Which of the roles' methods a class has."""
    module, _, name = target.partition(":")
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ImportError as error:
        raise UserError(f"{target} can't be imported ({error}); install it or mend the name") from None
    return {method for method in METHODS.values() if hasattr(found, method)}


def _breaches(config: RoleConfig) -> list[str]:
    return asyncio.run(breaches(config))
