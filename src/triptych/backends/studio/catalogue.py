"""What the studio can draw: the kinds of things, and the colours and materials they can take on."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final, Literal, get_args

from triptych.backends.studio.scene import SETTINGS, Setting

Group = Literal["animal", "small", "sky", "building", "vehicle", "plant", "thing", "fruit", "tabletop", "sea"]
Material = Literal["gold", "silver", "stone", "wood", "glass", "knitted", "ice", "chocolate"]

GROUPS: Final[tuple[Group, ...]] = get_args(Group)
MATERIALS: Final[tuple[Material, ...]] = get_args(Material)

SETTING_ALIASES: Final[Mapping[str, tuple[Setting, ...]]] = MappingProxyType(
    {
        "land": ("meadow", "beach", "lake", "desert", "forest", "city"),
        "country": ("meadow", "lake", "forest"),
    }
)


@dataclass(frozen=True, slots=True)
class ColourTarget:
    """What a recoloured surface aims at: hue on a circle of length 1, mean saturation and value 0..1."""

    hue: float
    saturation: float
    value: float


COLOURS: Final[Mapping[str, ColourTarget]] = MappingProxyType(
    {
        "red": ColourTarget(0.985, 0.84, 0.90),
        "orange": ColourTarget(0.072, 0.88, 1.00),
        "yellow": ColourTarget(0.142, 0.82, 1.00),
        "green": ColourTarget(0.355, 0.72, 0.74),
        "teal": ColourTarget(0.485, 0.74, 0.76),
        "blue": ColourTarget(0.605, 0.80, 0.94),
        "purple": ColourTarget(0.755, 0.64, 0.82),
        "pink": ColourTarget(0.925, 0.44, 1.00),
        "white": ColourTarget(0.08, 0.02, 0.94),
        "black": ColourTarget(0.63, 0.10, 0.24),
        "brown": ColourTarget(0.062, 0.62, 0.50),
    }
)


@dataclass(frozen=True, slots=True)
class Lamp:
    """Where a thing glows after dark: x and y as fractions of its (cropped) picture."""

    colour: str
    x: float
    y: float
    strength: float


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of thing; `key` names its picture."""

    key: str
    noun: str
    plural: str
    article: str
    height: float  # natural height at the near end of the ground, fraction of sqrt(width * height)
    settings: frozenset[Setting]
    group: Group
    natural_colour: str  # word for its own colour
    recolourable: bool
    can_flip: bool  # False: a mirrored one looks the same
    afloat: bool  # stands on water
    crop: float  # share of the picture kept, from the top
    lamp: Lamp | None


def kinds_for(setting: Setting) -> tuple[Kind, ...]:
    """Every kind that may stand (or float) in a setting, in catalogue order."""
    return tuple(kind for kind in KINDS.values() if setting in kind.settings)


def natural_colour(key: str) -> str:
    """The colour word of a kind that was not recoloured."""
    return KINDS[key].natural_colour


@cache
def read_catalogue() -> Mapping[str, Kind]:
    """Kinds by key, from catalogue.toml."""
    text = files("triptych.backends.studio").joinpath("catalogue.toml").read_text(encoding="utf-8")
    kinds: dict[str, Kind] = {}
    table = tomllib.loads(text)
    for group in GROUPS:
        for key, row in table[group].items():
            kinds[key] = _kind(key, group, row)
    return MappingProxyType(kinds)


def _kind(key: str, group: Group, row: Mapping[str, Any]) -> Kind:
    noun = row.get("noun", key)
    lamp = row.get("lamp")
    return Kind(
        key=key,
        noun=noun,
        plural=row.get("plural", f"{noun}s"),
        article="an" if noun[0].lower() in "aeiou" else "a",
        height=row["height"],
        settings=frozenset(_settings(row["settings"])),
        group=group,
        natural_colour=row["colour"],
        recolourable=not row.get("fixed", False),
        can_flip=row.get("flips", True),
        afloat=row.get("afloat", False),
        crop=row.get("crop", 1.0),
        lamp=Lamp(**lamp) if lamp else None,
    )


def _settings(words: str) -> list[Setting]:
    named: list[Setting] = []
    for word in words.split():
        named.extend(SETTING_ALIASES.get(word) or (SETTINGS[SETTINGS.index(word)],))
    return named


KINDS: Final[Mapping[str, Kind]] = read_catalogue()
