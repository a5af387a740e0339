"""What the Writer thinks of: things worth painting, in settings where they belong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final, TypeVar

import numpy as np

from triptych.backends.studio.catalogue import COLOURS, KINDS, Kind, kinds_for
from triptych.backends.studio.prompts import (
    OUTDOORS,
    SEASONAL,
    STYLE_NAMES,
    UNCOLOURED,
    Description,
    Place,
    Wish,
)
from triptych.backends.studio.scene import (
    DEGRADATIONS,
    SEASONS,
    SETTINGS,
    TIMES,
    Season,
    Setting,
    Style,
    Weather,
)

T = TypeVar("T")

PLACEABLE: Final[frozenset[Setting]] = OUTDOORS | {
    "room"
}  # things there may be moved to another such setting
TIME_SHARES: Final = (0.15, 0.46, 0.20, 0.10, 0.09)  # in the order of TIMES: night is a minority
SEASON_SHARES: Final = (0.25, 0.38, 0.22, 0.15)
DEGRADED_SHARE: Final = 0.07
# Things that people paint as they like. Odd colours of all others are left to the edits.
PAINTED: Final = frozenset(
    {
        "automobile",
        "bus",
        "tractor",
        "motor-scooter",
        "bicycle",
        "balloon",
        "tent",
        "umbrella",
        "backpack",
        "guitar",
        "drum",
        "bucket",
        "basket",
        "wrapped-gift",
        "chair",
        "teapot",
        "hot-beverage",
        "cupcake",
        "alarm-clock",
        "telephone",
        "top-hat",
        "amphora",
        "airplane",
        "sailboat",
        "speedboat",
        "canoe",
        "tulip",
        "wine-glass",
    }
)
COATS: Final[MappingProxyType[str, tuple[str, ...]]] = MappingProxyType(
    {
        "cat": ("black", "white", "brown"),
        "dog": ("black", "white", "brown"),
        "rabbit": ("brown", "black"),
        "horse": ("black", "white"),
        "duck": ("yellow",),
        "ram": ("black",),
        "red-apple": ("green", "yellow"),
        "pear": ("yellow",),
        "grapes": ("green",),
        "frog": ("red", "yellow"),
        "parrot": ("blue", "green"),
    }
)
FINE_MATERIALS: Final[MappingProxyType[str, tuple[str, ...]]] = MappingProxyType(
    {"amphora": ("stone", "silver"), "teapot": ("silver",), "teddy-bear": ("knitted",), "bucket": ("silver",)}
)
ALIKE: Final = frozenset(
    frozenset(pair)
    for pair in (
        ("orange", "brown"),
        ("orange", "yellow"),
        ("red", "pink"),
        ("red", "orange"),
        ("teal", "green"),
        ("teal", "blue"),
        ("purple", "pink"),
        ("white", "grey"),
    )
)


def pick(rng: np.random.Generator, options: Sequence[T], shares: Sequence[float] | None = None) -> T:
    """One of the options, keeping its type."""
    return options[int(rng.choice(len(options), p=shares))]


def propose_wish(
    rng: np.random.Generator, objects: int, categories: Sequence[str], topic: str | None, style: str | None
) -> Wish:
    """Something to paint on which as many as can be of these categories of edit make sense."""
    style_name = _style_name(rng, style)
    look: Style = STYLE_NAMES.get(style_name, "render")
    setting = _setting(rng, categories, topic)
    season: Season = pick(rng, SEASONS, SEASON_SHARES) if setting in SEASONAL else "summer"
    degraded = "restore" in categories or (not categories and rng.random() < DEGRADED_SHARE)
    wish = Wish(
        setting=setting,
        time="day" if setting == "underwater" else pick(rng, TIMES, TIME_SHARES),
        season=season,
        weather=_weather(rng, setting, season),
        style="render" if degraded else look,
        style_name="standard" if degraded else style_name,
        degradation=pick(rng, DEGRADATIONS) if degraded else None,
    )
    for _ in range(objects):
        kind = new_kind(rng, wish)
        if kind is not None:
            wish = replace(wish, things=(*wish.things, describe(rng, wish, kind)))
    return _with_places(rng, wish)


def _style_name(rng: np.random.Generator, style: str | None) -> str:
    if style is not None:
        wanted = style.lower()
        fits = [name for name, look in STYLE_NAMES.items() if wanted in (name.lower(), look)]
        return fits[0] if fits else "standard"
    if rng.random() < 0.2:
        return "standard"
    drawn = [name for name, look in STYLE_NAMES.items() if look != "render"]
    plain = [name for name, look in STYLE_NAMES.items() if look == "render"]
    return pick(rng, drawn if rng.random() < 0.4 else plain)


def _setting(rng: np.random.Generator, categories: Sequence[str], topic: str | None) -> Setting:
    named = [setting for setting in SETTINGS if topic is not None and setting in topic.lower()]
    if named:
        return named[0]
    allowed: set[Setting] = set(SETTINGS)
    if "season" in categories:
        allowed &= SEASONAL
    if "weather" in categories:
        allowed &= OUTDOORS
    if "background" in categories:
        allowed &= PLACEABLE
    if "time_of_day" in categories:
        allowed -= {"underwater"}
    return pick(rng, [setting for setting in SETTINGS if setting in allowed])


def _weather(rng: np.random.Generator, setting: Setting, season: Season) -> Weather:
    if setting not in OUTDOORS or setting == "desert" or rng.random() < 0.8:
        return "clear"
    if season == "winter" or setting == "city":
        return pick(rng, ("snow", "fog", "rain"))
    return pick(rng, ("rain", "fog"))


def new_kind(rng: np.random.Generator, wish: Wish, fits: Callable[[Kind], bool] | None = None) -> Kind | None:
    """A kind that goes with the wish and isn't in it yet; None: there is none."""
    taken = [KINDS[thing.kind] for thing in wish.things]
    nouns = {kind.noun for kind in taken}

    def welcome(kind: Kind) -> bool:
        if kind.noun in nouns or (fits is not None and not fits(kind)):
            return False
        if kind.key == "snowman":
            return wish.season == "winter"
        if kind.height > 0.4 and any(other.height > 0.4 for other in taken):
            return False
        return not (kind.group in ("sky", "building") and any(o.group == kind.group for o in taken))

    choices = [kind for kind in kinds_for(wish.setting) if welcome(kind)]
    if not choices:
        return None
    shares = np.array([0.4 if kind.group == "sky" else 1.0 for kind in choices])
    return pick(rng, choices, list(shares / shares.sum()))


def describe(rng: np.random.Generator, wish: Wish, kind: Kind, *, odd: bool = False) -> Description:
    """A thing of this kind, at times with a colour or a material; `odd`: colours it never has are welcome."""
    if wish.style in UNCOLOURED:
        return Description(kind.key)
    if kind.key in FINE_MATERIALS and rng.random() < 0.2:
        return Description(kind.key, material=pick(rng, FINE_MATERIALS[kind.key]))
    colours: list[str] = []
    if kind.key in PAINTED or (odd and rng.random() < 0.5):
        colours = new_colours(Description(kind.key))
    elif kind.key in COATS:
        colours = list(COATS[kind.key])
    if not kind.recolourable or not colours or rng.random() < 0.6:
        return Description(kind.key)
    return Description(kind.key, colour=pick(rng, colours))


def new_colours(described: Description) -> list[str]:
    """Colours that the thing can plainly turn into."""
    kind = KINDS[described.kind]
    now = described.colour or kind.natural_colour
    return [
        colour
        for colour in COLOURS
        if kind.recolourable and colour not in (now, "brown") and frozenset((now, colour)) not in ALIKE
    ]


def _with_places(rng: np.random.Generator, wish: Wish) -> Wish:
    if rng.random() < 0.4:
        return wish
    columns: tuple[Place, ...] = ("left", "right", "middle")
    standing = [i for i, thing in enumerate(wish.things) if KINDS[thing.kind].group != "sky"]
    order: list[Place] = [columns[int(i)] for i in rng.permutation(3)]
    if len(standing) == 2:
        order = ["left", "right"] if rng.random() < 0.5 else ["right", "left"]
    shuffled = [int(index) for index in rng.permutation(standing)]
    places = {i: place for i, place in zip(shuffled, order, strict=False) if rng.random() < 0.75}
    if len(standing) > 3 and rng.random() < 0.5:
        last = next(i for i in standing if i not in places)
        places[last] = pick(rng, ("front", "distance"))
    things = [replace(thing, place=places.get(i)) for i, thing in enumerate(wish.things)]
    return replace(wish, things=tuple(things))
