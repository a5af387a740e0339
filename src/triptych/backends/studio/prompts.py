"""What a scene is about, before it has a layout: the wish, and the prompt that says it in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, get_args

import numpy as np

from triptych.backends.studio.catalogue import KINDS
from triptych.backends.studio.scene import Degradation, Season, Setting, Style, TimeOfDay, Weather

Place = Literal["left", "middle", "right", "front", "distance"]
SizeWord = Literal["very small", "small", "medium-sized", "large", "very large"]
PLACES: Final[tuple[Place, ...]] = get_args(Place)
SIZE_WORDS: Final[tuple[SizeWord, ...]] = get_args(SizeWord)

OUTDOORS: Final[frozenset[Setting]] = frozenset({"meadow", "beach", "lake", "desert", "forest", "city"})
SEASONAL: Final[frozenset[Setting]] = frozenset({"meadow", "lake", "forest"})
COLOURLESS: Final[frozenset[Style]] = frozenset({"sketch", "noir"})  # no colour survives them
UNCOLOURED: Final[frozenset[Style]] = COLOURLESS | {"neon"}  # a thing's own colour can't be told in them


@dataclass(frozen=True, slots=True)
class Description:
    """A thing as words tell it from others; what is None isn't said."""

    kind: str  # key of the catalogue
    colour: str | None = None
    material: str | None = None
    place: Place | None = None
    beside: str | None = None  # kind of the thing it stands next to
    size: SizeWord | None = None  # for a thing of its kind and place that is to be put in
    ground: Setting | None = None  # where it stands, if nothing nearer is said


@dataclass(frozen=True, slots=True)
class Wish:
    """All that a prompt asks for. Two wishes with the same prompt are equal."""

    setting: Setting
    time: TimeOfDay = "day"
    season: Season = "summer"
    weather: Weather = "clear"
    style: Style = "render"
    style_name: str = "standard"  # "standard": the prompt names no style
    degradation: Degradation | None = None
    things: tuple[Description, ...] = ()


# Styles as prompts name them. Several names are drawn as a render: to the studio they are one look.
STYLE_NAMES: Final[MappingProxyType[str, Style]] = MappingProxyType(
    {
        "3D render": "render",
        "clay render": "render",
        "animated film still": "render",
        "toy photograph": "render",
        "watercolor painting": "watercolor",
        "pencil sketch": "sketch",
        "oil painting": "oil",
        "pixel art picture": "pixel",
        "neon line drawing": "neon",
        "flat poster illustration": "poster",
        "black-and-white film still": "noir",
    }
)

MATERIAL_WORDS: Final[MappingProxyType[str, str]] = MappingProxyType(
    {
        "gold": "golden",
        "silver": "silver",
        "stone": "stone",
        "wood": "wooden",
        "glass": "glass",
        "knitted": "knitted",
        "ice": "ice",
        "chocolate": "chocolate",
    }
)

PLACE_WORDS: Final[MappingProxyType[Place, tuple[str, ...]]] = MappingProxyType(
    {
        "left": ("on the left", "on the left side"),
        "middle": ("in the middle", "in the center"),
        "right": ("on the right", "on the right side"),
        "front": ("in the foreground", "close to the viewer"),
        "distance": ("in the distance", "farther away"),
    }
)

SETTING_WORDS: Final[MappingProxyType[Setting, tuple[str, ...]]] = MappingProxyType(
    {
        "meadow": ("in a wide meadow", "in a meadow with distant hills", "out in a meadow"),
        "beach": ("on a sandy beach", "on a beach by the sea", "at the seaside"),
        "lake": ("at a mountain lake", "on the shore of a mountain lake", "by a calm mountain lake"),
        "desert": ("in the desert", "among rolling desert dunes", "in a sandy desert"),
        "forest": ("in a quiet forest", "on a forest path", "in the woods"),
        "city": ("in a city square", "in front of a city skyline", "on a plaza in the city"),
        "room": ("in a cozy living room", "in a living room", "on the floor of a cozy room"),
        "table": ("on a wooden table", "on a wooden tabletop", "on a kitchen table"),
        "underwater": (
            "at a coral reef under water",
            "underwater by a coral reef",
            "at the bottom of the sea",
        ),
    }
)

GROUND_WORDS: Final[MappingProxyType[Setting, str]] = MappingProxyType(
    {
        "meadow": "in the meadow",
        "beach": "on the beach",
        "lake": "by the lake",
        "desert": "in the desert",
        "forest": "in the forest",
        "city": "in the city square",
        "room": "on the floor of the room",
        "table": "on the table",
        "underwater": "in the water",
    }
)

TIME_WORDS: Final[MappingProxyType[TimeOfDay, tuple[str, ...]]] = MappingProxyType(
    {
        "dawn": ("at dawn", "at sunrise", "in the early morning"),
        "day": ("", "", "in bright daylight", "on a bright day", "at midday"),
        "sunset": ("at sunset", "in the glow of the sunset"),
        "dusk": ("at dusk", "at twilight"),
        "night": ("at night", "late at night"),
    }
)

SEASON_WORDS: Final[MappingProxyType[Season, tuple[str, ...]]] = MappingProxyType(
    {
        "spring": ("in spring", "in springtime"),
        "summer": ("", "", "in summer"),
        "autumn": ("in autumn", "in the fall"),
        "winter": ("in winter", "in snowy winter"),
    }
)

WEATHER_WORDS: Final[MappingProxyType[Weather, tuple[str, ...]]] = MappingProxyType(
    {
        "clear": ("",),
        "rain": ("in the rain", "on a rainy day", "in pouring rain"),
        "snow": ("in falling snow", "while snow is falling"),
        "fog": ("in thick fog", "in the fog", "on a foggy day"),
    }
)

DEGRADED_WORDS: Final[MappingProxyType[Degradation, tuple[str, ...]]] = MappingProxyType(
    {
        "blur": ("a blurry picture of", "an out-of-focus shot of"),
        "noise": ("a grainy, noisy picture of", "a noisy high-ISO shot of"),
        "lowres": ("a low-resolution picture of", "a tiny, pixelated thumbnail of"),
        "jpeg": ("a heavily compressed JPEG of", "a picture full of compression artifacts, showing"),
        "faded": ("a faded, scratched old photo of", "an old, yellowed photograph of"),
    }
)

VIEWS: Final = ("a scene", "a quiet scene", "a wide view", "an eye-level view", "a picture taken")


def with_article(words: str) -> str:
    """The words with "a" or "an" before them."""
    return ("an " if words[0].lower() in "aeiou" else "a ") + words


def capitalised(sentence: str) -> str:
    """The sentence with a capital first letter, the rest as it is."""
    return sentence[0].upper() + sentence[1:]


def naming(described: Description) -> str:
    """Adjectives and noun, without article or place: "red apple"."""
    material = MATERIAL_WORDS[described.material] if described.material else None
    noun = KINDS[described.kind].noun
    colour = None if described.colour == noun else described.colour  # an orange is never an orange orange
    return " ".join(word for word in (described.size, colour, material, noun) if word)


def placing(described: Description, rng: np.random.Generator) -> str:
    """Where the thing is, with a leading space, or nothing."""
    if described.beside is not None:
        other = KINDS[described.beside].noun
        return f" {choose(rng, ('next to', 'beside', 'right by'))} the {other}"
    if described.place is not None:
        return f" {choose(rng, PLACE_WORDS[described.place])}"
    if described.ground is not None:
        kind = KINDS[described.kind]
        if kind.group == "sky" and described.ground != "underwater":
            return " in the sky" if described.ground in OUTDOORS else " in the air"
        return " on the water" if kind.afloat else f" {GROUND_WORDS[described.ground]}"
    return ""


def choose(rng: np.random.Generator, options: Sequence[str]) -> str:
    """One of these texts."""
    return options[int(rng.integers(len(options)))]


def listed(phrases: list[str]) -> str:
    """Joined by commas and a final "and"."""
    if len(phrases) == 1:
        return phrases[0]
    return ", ".join(phrases[:-1]) + " and " + phrases[-1]


def write_prompt(wish: Wish, rng: np.random.Generator) -> str:
    """The wish in words, one of many wordings."""
    things = listed([with_article(naming(thing)) + placing(thing, rng) for thing in wish.things])
    where = choose(rng, SETTING_WORDS[wish.setting])
    moment = [
        choose(rng, TIME_WORDS[wish.time]),
        choose(rng, SEASON_WORDS[wish.season]) if wish.setting in SEASONAL else "",
        choose(rng, WEATHER_WORDS[wish.weather]),
    ]
    when = ", ".join(part for part in moment if part)
    scene = f"{where}, {when}" if when and rng.random() < 0.5 else f"{where} {when}".strip()
    if wish.degradation is not None:
        opening = choose(rng, DEGRADED_WORDS[wish.degradation])
        sentence = f"{opening} {things} {scene}"
        return _styled(capitalised(sentence), wish, rng, plain_end=True)
    patterns = (
        f"{things} {scene}",
        f"{things}, {scene}",
        f"{scene}: {things}",
        f"there's {things} {scene}",
        f"{choose(rng, VIEWS)} {scene} with {things}",
        f"{choose(rng, ('show me', 'picture', 'imagine', 'just'))} {things} {scene}",
        f"{scene} {choose(rng, ('we see', 'you can see', 'there is'))} {things}",
    )
    return _styled(capitalised(patterns[int(rng.integers(len(patterns)))]), wish, rng)


def _styled(sentence: str, wish: Wish, rng: np.random.Generator, *, plain_end: bool = False) -> str:
    if wish.style_name == "standard":
        return sentence + choose(rng, (".", ""))
    name = wish.style_name
    ends = [f", {name}", f", as {with_article(name)}"]
    if not plain_end:
        ends.append(f". {capitalised(name)}.")
    return sentence + ends[int(rng.integers(len(ends)))]
