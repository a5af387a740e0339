"""The words the judges know: for things, colours, materials, places, and what can be done to a picture."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Final

from triptych.backends.studio.catalogue import KINDS

# Other names that people give to kinds of the catalogue.
SYNONYMS: Final = MappingProxyType(
    {
        "bunny": "rabbit",
        "pony": "horse",
        "sheep": "ram",
        "automobile": "automobile",
        "motor scooter": "motor-scooter",
        "bike": "bicycle",
        "sailing boat": "sailboat",
        "motorboat": "speedboat",
        "plane": "airplane",
        "football": "soccer-ball",
        "tv": "television",
        "teddy": "teddy-bear",
        "present": "wrapped-gift",
        "lantern": "red-paper-lantern",
        "clock": "mantelpiece-clock",
        "coffee": "hot-beverage",
        "donut": "doughnut",
        "burger": "hamburger",
        "cheese": "cheese-wedge",
        "books": "books",
        "phone": "telephone",
        "pumpkin": "jack-o-lantern",
        "gem": "gem-stone",
        "tangerine": "tangerine",
        "grapes": "grapes",
        "watermelon": "watermelon",
        "cherries": "cherries",
        "cake": "birthday-cake",
    }
)

COLOUR_WORDS: Final = MappingProxyType(
    {
        "red": "red",
        "orange": "orange",
        "yellow": "yellow",
        "green": "green",
        "teal": "teal",
        "turquoise": "teal",
        "blue": "blue",
        "purple": "purple",
        "violet": "purple",
        "pink": "pink",
        "white": "white",
        "black": "black",
        "brown": "brown",
        "grey": "grey",
        "gray": "grey",
    }
)

MATERIAL_WORDS: Final = MappingProxyType(
    {
        "gold": "gold",
        "golden": "gold",
        "silver": "silver",
        "stone": "stone",
        "wood": "wood",
        "wooden": "wood",
        "glass": "glass",
        "knitted": "knitted",
        "wool": "knitted",
        "woolen": "knitted",
        "yarn": "knitted",
        "ice": "ice",
        "chocolate": "chocolate",
    }
)

PLACES: Final = (
    ("left", r"\bleft\b"),
    ("right", r"on the right\b|\bright[- ]hand|right side|to the right"),
    ("middle", r"\bmiddle\b|\bcent(?:er|re)\b"),
    ("front", r"foreground|close to the viewer"),
    ("distance", r"distance\b|farther away|far away|background"),
)
BESIDE: Final = re.compile(r"(?:next to|beside|right by|near|close to|by) (?:the|an?) ")

# Whole-picture vocabulary: value, pattern. The first that is found counts.
STYLES: Final = (
    ("watercolor", r"watercolou?r"),
    ("sketch", r"pencil|sketch"),
    ("oil", r"\boil\b|brushed"),
    ("pixel", r"pixel art|8-bit"),
    ("neon", r"neon"),
    ("poster", r"poster|flat[- ]colou?red|flat illustration"),
    ("noir", r"black-and-white|black and white|noir"),
    ("render", r"\b3d\b|render"),
)
RENDER_LIKE: Final = re.compile(r"animated film still|clay render|toy photograph")
SETTINGS: Final = (
    ("underwater", r"under ?water|coral reef|bottom of the sea|sea ?floor"),
    ("meadow", r"meadow|grassland"),
    ("beach", r"beach(?! umbrella)|seaside"),
    ("lake", r"\blake"),
    ("desert", r"desert|dunes"),
    ("forest", r"forest|woods\b"),
    ("city", r"\bcity|plaza|skyline"),
    ("room", r"\broom\b"),
    ("table", r"table(?:top)?\b"),
)
TIMES: Final = (
    ("dawn", r"\bdawn|sunrise|early morning"),
    ("sunset", r"sunset"),
    ("dusk", r"dusk|twilight"),
    ("night", r"night"),
    ("day", r"midday|\bnoon|daylight|daytime|bright day"),
)
SEASONS: Final = (
    ("spring", r"\bspring"),
    ("summer", r"summer"),
    ("autumn", r"autumn|\bthe fall\b"),
    ("winter", r"winter"),
)
WEATHERS: Final = (
    ("rain", r"\brain(?!bow)|\bpour"),
    ("snow", r"\bsnow(?!man|men|y winter)"),
    ("fog", r"\bfog|\bmist"),
    ("clear", r"clear up|weather clear|clear weather|clear sky|\bfair\b|sky clear"),
)
DEGRADATIONS: Final = (
    ("jpeg", r"jpeg|compress|block"),
    ("faded", r"fad(?:ed|ing)|scratch|old photo|yellowed"),
    ("noise", r"nois[ey]|grain|denoise"),
    ("lowres", r"low-?res|resolution|pixelat|upscale|thumbnail"),
    ("blur", r"blur|focus|sharp"),
)
RESTORING: Final = re.compile(
    r"sharp|\bfix|remove|denoise|clean|rid of|repair|refresh|enhance|upscale|raise|into focus|crisp|look new"
    r"|detailed|high[- ]resolution|restore"
)
GRADES: Final = (
    (
        "softer",
        r"(?:lower|soften|less|reduce|weaken|softer)\b.*contrast|softer contrast|weaken the difference",
    ),
    ("contrast", r"contrast|difference between light and dark|punch"),
    ("warmer", r"\bwarm"),
    ("cooler", r"\bcool"),
    (
        "muted",
        r"\bmute|reduce the saturation|less saturated|tone the colou?rs down|desaturate|less colou?rful",
    ),
    ("vivid", r"vivid|saturat|boost the colou?rs|colou?rful|colou?r intensity"),
    ("darker", r"dark|lower the exposure|reduce the brightness|dim\b"),
    ("brighter", r"bright|exposure|lighten|lighter"),
)

BIGGER: Final = re.compile(r"bigger|larger|enlarge|\bup\b|grow|increase the size|huge")
SMALLER: Final = re.compile(r"smaller|shrink|\bdown\b|reduce the size|tiny")
RESIZING: Final = re.compile(
    r"bigger|larger|enlarge|smaller|shrink|grow\b|size\b|scale .*\b(?:up|down)\b|huge|tiny"
)
REMOVING: Final = re.compile(
    r"remove|erase|delete|get rid|\btake\b.*\b(?:out|away)\b|without|has to go|don't want|do not want"
)
REPLACING: Final = re.compile(r"replace|swap|exchange|instead|rather|\binto\b|where .* is\b|should be an? ")
MADE_OF: Final = re.compile(r"out of|made of|material|texture|rebuild|remake|made from")
ADDING: Final = re.compile(r"\badd\b|\bput\b|place|insert|draw|like|have|there should be|include")
COLOURING: Final = re.compile(r"colou?r|paint|recolou?r")

# How an order begins: what follows "and" is a second order only then.
ORDER: Final = re.compile(
    r"\b(?:add|put|place|insert|draw|remove|take|get rid|erase|delete|replace|swap|change|turn|exchange|make"
    r"|paint|recolou?r|give|rebuild|remake|move|set|show|relight|shift|switch|enlarge|scale|increase|blow|let|shrink"
    r"|reduce|cut|fill|wrap|clear|convert|redraw|restyle|transform|degrade|ruin|include|color|colour|brighten"
    r"|darken|sharpen|fix|boost|warm|cool|lower|raise|bring|clean|denoise|upscale|enhance|repair|refresh"
    r"|strengthen|soften|weaken|mute|tone|desaturate|lighten|correct)\b"
)
JOINT: Final = re.compile(r"(?:\. also,?|,? and also|,? and then|, then|,? and|;|\. then,?|,) ")

# One verb for several things; what "it" may stand for; where a thing is moved to; by how much it grows.
ARTICLE: Final = re.compile(r"\b(?:the|an?) ")
ITEM: Final = re.compile(r"(?:, and|,| and) (?=(?:the|an?) )")
BETWEEN: Final = re.compile(r"(?:, and|,| and) $")
SIZED: Final = re.compile(r"(?:about|by roughly|to roughly) \d+ percent.*$")
PRONOUN: Final = re.compile(r"\bit\b")
DESTINATION: Final = re.compile(
    r" (?:to the (?:left|right|middle|cent(?:er|re))\b|into the (?:foreground|distance)\b|to another spot\b"
    r"|(?:next to|beside) the )"
)
TWICE: Final = re.compile(r"\b(?:250|150) percent|to roughly 40 percent|60 percent smaller")


def _named_kinds() -> tuple[tuple[re.Pattern[str], str], ...]:
    names: dict[str, str] = {}
    for kind in KINDS.values():
        names.setdefault(kind.noun.lower(), kind.key)
        names.setdefault(kind.plural.lower(), kind.key)
    for name, key in SYNONYMS.items():
        if key in KINDS:
            names.setdefault(name, key)
    # The longest first: a paper lantern is no lantern. Last "orange", which is a colour too.
    ordered = sorted(names.items(), key=lambda item: (item[0] == "orange", -len(item[0])))
    return tuple((re.compile(rf"\b{re.escape(name)}\b"), key) for name, key in ordered)


KIND_NAMES: Final = _named_kinds()
