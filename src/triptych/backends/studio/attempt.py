"""One attempt at an edit: done well, or spoilt in ways of which kind and measured strength are kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from triptych.backends.studio.artefacts import (
    decoded,
    displaced,
    drifted,
    lingering,
    lost_detail,
    overdone,
    remaining_share,
    shrunk,
    smeared,
    softened,
    unfinished,
    visible_share,
)
from triptych.backends.studio.canvas import Array
from triptych.backends.studio.edits import LOCAL_OPERATIONS
from triptych.backends.studio.flaws import SLIPS, chance_of_good
from triptych.backends.studio.scene import Scene
from triptych.backends.studio.subjects import PhotographSubject, StudioSubject, Version, way_between
from triptych.backends.studio.truth import Truth, truth_from

Subject = StudioSubject | PhotographSubject

LEAST_VISIBLE: Final = 0.0012  # share of the frame: what changes less isn't seen
LEAST_OF_WHOLE: Final = 0.015  # the same, for an edit of the whole picture
PLAIN: Final = 0.012  # share of the frame: a flaw that wide is as plain as can be
SECOND_SHARE: Final = 0.2  # of the flawed attempts: those that are damaged as well
SLIGHT_SHARE: Final = 0.4  # of the good attempts: those with damage that nobody would notice
DAMAGE: Final = ("drift", "shift", "zoom", "blur", "blotch")


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of an attempt; `scene` is None for a photograph."""

    image: Array
    scene: Scene | None
    truth: Truth


def attempt(
    subject: Subject, rng: np.random.Generator, rate: str, difficulty: float, restless: float = 0.0
) -> Outcome:
    """The edited picture with its flaws, drawn by `rng`; strengths are what its pixels show.

    `rate` is a key of GOOD_SHARES; `difficulty`, a standard normal, belongs to (source, instruction).
    `restless`: the share of attempts with nothing to do, 0..1, in which the picture is touched all the same.
    """
    good = bool(rng.random() < chance_of_good(rate, subject.plan.operation, difficulty))
    if good and not subject.all_missing:
        _ = subject.clean  # wanted in full anyway: the small one is then made from it
    asked = 0.0 if subject.all_missing else _asked(subject)
    flaws: list[tuple[str, float]] = []
    local = subject.plan.operation in LOCAL_OPERATIONS | {"composite"}
    if asked < (LEAST_VISIBLE if local else LEAST_OF_WHOLE):
        version = _nothing_to_do(subject, rng, flaws)
        if flaws[0][0] == "trivial" and restless and rng.random() < restless:
            name = DAMAGE[int(rng.integers(len(DAMAGE)))]
            version = _damaged(subject, version, name, float(rng.uniform(0.15, 0.8)), rng, flaws)
    elif good:
        version = subject.clean
        if rng.random() < SLIGHT_SHARE:
            name = DAMAGE[int(rng.integers(4))]
            version = _damaged(subject, version, name, float(rng.uniform(0.03, 0.15)), rng, flaws)
    else:
        version = _spoilt(subject, rng, flaws)
    if subject.missing and not subject.all_missing and not {"ignored", "half"} & {name for name, _ in flaws}:
        flaws.append(("half", 1.0))
    if subject.hides and not {"trivial", "ignored", "lost"} & {name for name, _ in flaws}:
        flaws.append(("lost", subject.hides))
    scenes = (subject.scene, version.scene)
    if scenes[0] is not None and scenes[1] is not None and way_between(scenes[0], scenes[1]) == "anew":
        flaws += [(f"source_{name}", strength) for name, strength in subject.damage]
    doubt = (float(rng.gamma(1.5, 0.09)), float(rng.gamma(1.5, 0.11)))
    measured = tuple((name, round(strength, 3)) for name, strength in flaws)
    return Outcome(decoded(version.image, rng), version.scene, truth_from(measured, doubt))


def _asked(subject: Subject) -> float:
    """The share of the frame that the perfect edit plainly changes."""
    if subject.plan.operation in ("degrade", "restore"):  # grain and blocks are gone from a smaller picture
        return visible_share(subject.source, subject.clean.image)
    return visible_share(shrunk(subject.source), subject.clean_small)


def _nothing_to_do(subject: Subject, rng: np.random.Generator, flaws: list[tuple[str, float]]) -> Version:
    """Nothing there to edit, or nothing to see of it: left alone, or another thing edited instead."""
    if subject.all_missing and rng.random() < 0.4:
        mistaken = subject.slip("wrong_object", rng)
        if mistaken is not None:
            flaws.append(("wrong_object", 1.0))
            return mistaken
    flaws.append(("trivial", 1.0))
    return Version(subject.source, subject.scene)


def _spoilt(subject: Subject, rng: np.random.Generator, flaws: list[tuple[str, float]]) -> Version:
    """The edit with one flaw that shows, and at times some damage on top."""
    version: Version | None = None
    for name in subject.flaw_order(rng):
        amount = 0.3 + 0.7 * float(rng.beta(2.0, 1.6))
        if name == "ignored":
            version = Version(subject.source, subject.scene)
            flaws.append((name, 1.0))
        if name in SLIPS:
            version = _slipped(subject, name, rng, flaws)
        if name in DAMAGES and not flaws:
            version = _damaged(subject, subject.clean, name, amount, rng, flaws)
        if flaws:
            break
    if version is None or not flaws:
        return subject.clean
    if flaws[0][0] not in DAMAGE and rng.random() < SECOND_SHARE:
        name = DAMAGE[int(rng.integers(len(DAMAGE)))]
        version = _damaged(subject, version, name, float(rng.uniform(0.15, 0.8)), rng, flaws)
    return version


def _slipped(
    subject: Subject, name: str, rng: np.random.Generator, flaws: list[tuple[str, float]]
) -> Version | None:
    version = subject.slip(name, rng)
    if version is None:
        return None
    wrong = visible_share(subject.clean_small, shrunk(version.image))
    if wrong < LEAST_VISIBLE:
        return None
    flaws.append((name, min(1.0, (wrong / PLAIN) ** 0.5)))
    return version


def _damaged(
    subject: Subject,
    version: Version,
    name: str,
    amount: float,
    rng: np.random.Generator,
    flaws: list[tuple[str, float]],
) -> Version:
    """The version with its pixels damaged; nothing is noted where the damage doesn't show."""
    image, strength = DAMAGES[name](subject, version.image, amount, rng)
    if strength < 0.02:
        return version
    flaws.append((name, strength))
    return Version(image, version.scene)


Damaged = tuple[Array, float]  # the picture, and how plainly the damage shows, 0..1


def _partial(subject: Subject, image: Array, amount: float, rng: np.random.Generator) -> Damaged:
    damaged = unfinished(image, subject.source, rng, amount)
    return damaged, remaining_share(shrunk(subject.source), shrunk(image), shrunk(damaged))


def _ghost(subject: Subject, image: Array, amount: float, rng: np.random.Generator) -> Damaged:
    damaged = lingering(image, subject.source, rng, amount)
    return damaged, min(1.0, 1.3 * remaining_share(shrunk(subject.source), shrunk(image), shrunk(damaged)))


def _over_edit(subject: Subject, image: Array, amount: float, rng: np.random.Generator) -> Damaged:
    del rng
    damaged = overdone(image, subject.source, amount)
    return damaged, min(1.0, float(np.abs(shrunk(damaged) - shrunk(image)).mean()) / 0.10)


def _drift(subject: Subject, image: Array, amount: float, rng: np.random.Generator) -> Damaged:
    del subject
    damaged = drifted(image, rng, amount)
    return damaged, min(1.0, float(np.abs(shrunk(damaged) - shrunk(image)).mean()) / 0.085)


def _shift(subject: Subject, image: Array, amount: float, rng: np.random.Generator) -> Damaged:
    del subject
    side = (image.shape[0] * image.shape[1]) ** 0.5
    angle = float(rng.uniform(0, 2 * np.pi))
    length = 0.009 * amount  # of the side
    moved = displaced(image, length * side * np.cos(angle), length * side * np.sin(angle), 1.0)
    return moved, min(1.0, length / 0.008)


def _zoom(subject: Subject, image: Array, amount: float, rng: np.random.Generator) -> Damaged:
    del subject
    zoom = 1 + 0.024 * amount * (1 if rng.random() < 0.65 else -1)
    return displaced(image, 0.0, 0.0, zoom), min(1.0, 0.38 * abs(zoom - 1) / 0.008)


def _blur(subject: Subject, image: Array, amount: float, rng: np.random.Generator) -> Damaged:
    del subject, rng
    damaged = softened(image, amount)
    return damaged, lost_detail(image, damaged)


def _blotch(subject: Subject, image: Array, amount: float, rng: np.random.Generator) -> Damaged:
    del subject
    damaged = smeared(image, rng, amount)
    return damaged, min(1.0, (visible_share(shrunk(image), shrunk(damaged)) / 0.03) ** 0.5)


DAMAGES: Final[dict[str, Callable[[Subject, Array, float, np.random.Generator], Damaged]]] = {
    "partial": _partial,
    "ghost": _ghost,
    "over_edit": _over_edit,
    "drift": _drift,
    "shift": _shift,
    "zoom": _zoom,
    "blur": _blur,
    "blotch": _blotch,
}
