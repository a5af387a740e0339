"""What goes wrong when a prompt is painted, and what that is called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import numpy as np

from triptych.backends.studio.artwork import aspect
from triptych.backends.studio.catalogue import KINDS
from triptych.backends.studio.layout import COLUMNS, Size, box_of, overlap, place_thing, third_of
from triptych.backends.studio.prompts import UNCOLOURED, Description, Wish
from triptych.backends.studio.scene import Scene, Thing
from triptych.backends.studio.wishes import new_colours, pick

FLAWED_SHARE: Final = 0.42
SECOND_SHARE: Final = 0.18  # of the flawed: those with a second flaw


@dataclass(frozen=True, slots=True)
class Mishap:
    """A way for a painter to fail. `befall`: the spoilt scene and the strength 0..1; None: not here."""

    share: float  # how often, against the others
    befall: Callable[[np.random.Generator, Scene, Wish, Size], tuple[Scene, float] | None]
    against_prompt: bool  # the picture doesn't show its prompt; else it looks wrong


def spoil(
    rng: np.random.Generator, scene: Scene, wish: Wish, size: Size
) -> tuple[Scene, tuple[tuple[str, float], ...]]:
    """The scene as a painter of common skill gets it, with the flaws that came in."""
    if rng.random() >= FLAWED_SHARE:
        return scene, ()
    names = list(MISHAPS)
    shares = np.array([MISHAPS[name].share for name in names])
    order = [
        names[int(i)] for i in rng.choice(len(names), len(names), replace=False, p=shares / shares.sum())
    ]
    wanted = 2 if rng.random() < SECOND_SHARE else 1
    flaws: list[tuple[str, float]] = []
    for name in order:
        spoilt = MISHAPS[name].befall(rng, scene, wish, size)
        if spoilt is not None:
            scene = spoilt[0]
            flaws.append((name, round(spoilt[1], 3)))
            if len(flaws) == wanted:
                break
    return scene, tuple(flaws)


def _missing(rng: np.random.Generator, scene: Scene, wish: Wish, size: Size) -> tuple[Scene, float] | None:
    del wish, size
    if len(scene.things) < 2:
        return None
    gone = pick(rng, scene.things)
    return replace(scene, things=tuple(thing for thing in scene.things if thing != gone)), 1.0


def _wrong_kind(rng: np.random.Generator, scene: Scene, wish: Wish, size: Size) -> tuple[Scene, float] | None:
    del size
    thing = pick(rng, scene.things)
    old = KINDS[thing.kind]
    named = {described.kind for described in wish.things}
    alike = [
        kind
        for kind in KINDS.values()
        if kind.group == old.group
        and kind.key not in named
        and scene.setting in kind.settings
        and kind.afloat == old.afloat
        and kind.noun not in {KINDS[key].noun for key in named}
    ]
    if not alike:
        return None
    new = pick(rng, alike)
    colour = thing.colour if new.recolourable else None
    height = thing.height * new.height / old.height
    return _with(scene, thing, replace(thing, kind=new.key, colour=colour, height=height)), 1.0


def _wrong_colour(
    rng: np.random.Generator, scene: Scene, wish: Wish, size: Size
) -> tuple[Scene, float] | None:
    del wish, size
    able = [thing for thing in scene.things if KINDS[thing.kind].recolourable and thing.material is None]
    if scene.style in UNCOLOURED or not able:
        return None
    named = [thing for thing in able if thing.colour is not None]
    thing = pick(rng, named or able)
    colours = [
        c for c in new_colours(Description(thing.kind, thing.colour)) if c != KINDS[thing.kind].natural_colour
    ]
    return _with(scene, thing, replace(thing, colour=pick(rng, colours))), 1.0


def _extra(rng: np.random.Generator, scene: Scene, wish: Wish, size: Size) -> tuple[Scene, float] | None:
    described = pick(rng, wish.things)
    if not any(thing.kind == described.kind for thing in scene.things):
        return None
    elsewhere = replace(described, place=None, beside=None)
    copy = place_thing(scene, elsewhere, f"t{len(wish.things) + 1}", scene.seed + 1, size)
    if any(overlap(box_of(copy, size), box_of(thing, size)) > 0.3 for thing in scene.things):
        return None
    return replace(scene, things=(*scene.things, copy)), 1.0


def _wrong_place(
    rng: np.random.Generator, scene: Scene, wish: Wish, size: Size
) -> tuple[Scene, float] | None:
    told = [
        (thing, described)
        for described in wish.things
        for thing in scene.things
        if thing.kind == described.kind and described.place in ("left", "right")
    ]
    if not told:
        return None
    thing, described = pick(rng, told)
    width, height = size
    half = thing.height * aspect(thing.kind) * (width * height) ** 0.5 / width / 2
    low, high = COLUMNS["left" if described.place == "right" else "right"]
    x = min(max(float(rng.uniform(low, high)), half + 0.02), 0.98 - half)
    moved = replace(thing, x=x)
    others = [box_of(other, size) for other in scene.things if other != thing]
    if third_of(moved) in (described.place, "middle") or any(
        overlap(box_of(moved, size), box) > 0.35 for box in others
    ):
        return None
    return _with(scene, thing, moved), min(1.0, abs(x - thing.x) / 0.5)


def _wrong_time(rng: np.random.Generator, scene: Scene, wish: Wish, size: Size) -> tuple[Scene, float] | None:
    del rng, size
    if (
        scene.setting == "underwater"
        or scene.style in ("sketch", "neon")
        or wish.time not in ("sunset", "dusk", "night")
    ):
        return None
    return replace(scene, time="day"), 1.0


def _bad_light(rng: np.random.Generator, scene: Scene, wish: Wish, size: Size) -> tuple[Scene, float] | None:
    del size
    if wish.degradation is not None:
        return None
    dark = scene.time in ("dusk", "night")
    return replace(
        scene, grade=pick(rng, ("muted", "darker") if dark else ("brighter", "darker", "muted"))
    ), 0.6


def _overlap(rng: np.random.Generator, scene: Scene, wish: Wish, size: Size) -> tuple[Scene, float] | None:
    del wish
    standing = [thing for thing in scene.things if thing.ground is None]
    if len(standing) < 2:
        return None
    first, second = (standing[int(i)] for i in rng.choice(len(standing), 2, replace=False))
    if second.height > first.height:
        first, second = second, first
    half = first.height * aspect(first.kind) * (size[1] / size[0]) ** 0.5 / 2
    x = first.x + half * float(rng.uniform(-0.5, 0.5))
    moved = replace(second, x=x, y=first.y + float(rng.uniform(0.001, 0.008)))  # the smaller in front
    covered = overlap(box_of(first, size), box_of(moved, size))
    return (_with(scene, second, moved), min(1.0, covered)) if covered > 0.45 else None


def _floating(rng: np.random.Generator, scene: Scene, wish: Wish, size: Size) -> tuple[Scene, float] | None:
    del wish
    standing = [thing for thing in scene.things if thing.ground is None and thing.height < 0.33]
    if scene.setting == "underwater" or not standing:
        return None
    thing = pick(rng, standing)
    lift = float(rng.uniform(0.14, 0.3))
    moved = replace(thing, y=thing.y - lift, ground=thing.y)
    return (_with(scene, thing, moved), min(1.0, lift / 0.25)) if box_of(moved, size)[1] > 0.02 else None


def _wrong_size(rng: np.random.Generator, scene: Scene, wish: Wish, size: Size) -> tuple[Scene, float] | None:
    del wish
    small = [thing for thing in scene.things if thing.height < 0.2 and thing.ground is None]
    if not small:
        return None
    thing = pick(rng, small)
    factor = float(rng.uniform(2.1, 2.6))
    grown = replace(thing, height=thing.height * factor)
    return (_with(scene, thing, grown), min(1.0, (factor - 1) / 1.6)) if _inside(grown, size) else None


def _inside(thing: Thing, size: Size) -> bool:
    left, top, right, _ = box_of(thing, size)
    return left > 0 and top > 0 and right < 1


def _with(scene: Scene, old: Thing, new: Thing) -> Scene:
    return replace(scene, things=tuple(new if thing == old else thing for thing in scene.things))


MISHAPS: Final[Mapping[str, Mishap]] = MappingProxyType(
    {
        "missing": Mishap(1.6, _missing, True),
        "wrong_kind": Mishap(0.8, _wrong_kind, True),
        "wrong_colour": Mishap(1.3, _wrong_colour, True),
        "extra": Mishap(1.1, _extra, True),
        "wrong_place": Mishap(0.7, _wrong_place, True),
        "wrong_time": Mishap(0.8, _wrong_time, True),
        "bad_light": Mishap(0.8, _bad_light, False),
        "overlap": Mishap(1.0, _overlap, False),
        "floating": Mishap(0.9, _floating, False),
        "wrong_size": Mishap(0.5, _wrong_size, False),
    }
)
