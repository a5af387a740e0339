"""The scene graph: what the studio draws, and what only the studio knows.

Coordinates are fractions of the frame: x from the left, y from the top. Heights are fractions of the
frame's geometric mean side, sqrt(width * height), so that a thing keeps its area share at any aspect ratio.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Setting = Literal["meadow", "beach", "lake", "desert", "forest", "city", "room", "table", "underwater"]
TimeOfDay = Literal["dawn", "day", "sunset", "dusk", "night"]
Season = Literal["spring", "summer", "autumn", "winter"]
Weather = Literal["clear", "rain", "snow", "fog"]
Style = Literal["render", "watercolor", "sketch", "oil", "pixel", "neon", "poster", "noir"]
Degradation = Literal["blur", "noise", "lowres", "jpeg", "faded"]
Grade = Literal["warmer", "cooler", "vivid", "muted", "brighter", "darker", "contrast"]

SETTINGS: tuple[Setting, ...] = get_args(Setting)
TIMES: tuple[TimeOfDay, ...] = get_args(TimeOfDay)
SEASONS: tuple[Season, ...] = get_args(Season)
WEATHERS: tuple[Weather, ...] = get_args(Weather)
STYLES: tuple[Style, ...] = get_args(Style)
DEGRADATIONS: tuple[Degradation, ...] = get_args(Degradation)
GRADES: tuple[Grade, ...] = get_args(Grade)


@dataclass(frozen=True, slots=True)
class Thing:
    """One object standing (or floating) in a scene."""

    id: str  # stable through edits, e.g. "t1"
    kind: str  # key of the catalogue, e.g. "teddy-bear"
    x: float  # foot point
    y: float  # foot point
    height: float
    colour: str | None = None  # None: the sprite's own colours
    material: str | None = None  # None: the sprite's own material
    flip: bool = False
    ground: float | None = None  # for what floats: y of the ground below it, where its shadow falls


@dataclass(frozen=True, slots=True)
class Scene:
    """A laid-out scene; rendering it at one size is a pure function of this record."""

    seed: int
    setting: Setting
    time: TimeOfDay = "day"
    season: Season = "summer"
    weather: Weather = "clear"
    style: Style = "render"
    palette: int = 0  # 0..11: small variations of a setting, e.g. sun side, wall colour
    things: tuple[Thing, ...] = ()
    degradation: Degradation | None = None
    degradation_strength: float = 0.0  # 0..1
    grade: Grade | None = None  # general colour correction, over everything else
