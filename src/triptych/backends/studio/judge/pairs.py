"""All that the validator and the soft filter measure on a pair, as named features."""

from __future__ import annotations

import re
from collections.abc import Sequence
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np

from triptych.backends.studio.canvas import Array
from triptych.backends.studio.catalogue import MATERIALS
from triptych.backends.studio.judge.change import (
    Features,
    Flags,
    compare,
    outside_features,
    overall_features,
    structure_outside,
)
from triptych.backends.studio.judge.heads import kept_features, order_features
from triptych.backends.studio.judge.look import Look, lab
from triptych.backends.studio.judge.opinions import Opinion
from triptych.backends.studio.judge.orders import LOCAL, examine
from triptych.backends.studio.judge.patches import followed_features
from triptych.backends.studio.judge.reading import Order
from triptych.backends.studio.scene import DEGRADATIONS, GRADES, SEASONS, STYLES, TIMES, WEATHERS
from triptych.pixels.picture import Pixels

OPERATIONS: Final = (
    "add",
    "remove",
    "replace",
    "color",
    "material",
    "resize",
    "background",
    "time_of_day",
    "season",
    "weather",
    "style",
    "degrade",
    "restore",
    "color_correction",
)
VALUES: Final = (
    *WEATHERS,
    *DEGRADATIONS,
    *GRADES,
    "softer",
    *STYLES,
    *TIMES,
    *SEASONS,
    "bigger",
    "smaller",
    *MATERIALS,
    "plain",
)
# A colour correction and the change of the picture's mean that it aims at, with its sign.
AIMS: Final = MappingProxyType(
    {
        "warmer": ("b", 1),
        "cooler": ("b", -1),
        "vivid": ("chroma", 1),
        "muted": ("chroma", -1),
        "brighter": ("light", 1),
        "darker": ("light", -1),
        "contrast": ("spread", 1),
        "softer": ("spread", -1),
    }
)
MOST_ORDERS: Final = 4  # of an instruction that are looked at
OWN: Final = re.compile(r"(\d)\.")  # how the features of one order begin: its place in the instruction
WHOLE: Final = ("source_", "same_", "now_")
WHOLE_NAMES: Final = frozenset(
    {"raw_mean", "raw_p50", "raw_p90", "net_mean", "net_p90", "structure_mean", "energy_median", "out_share"}
)
SMALL: Final = 96  # px: geometric mean side of what the soft filter looks at


def order_codes(orders: Sequence[Order]) -> Features:
    """What is asked, as numbers."""
    features: Features = {f"op_{name}": 0.0 for name in OPERATIONS}
    for order in orders:
        features[f"op_{order.operation}"] = 1.0
    features["orders"] = float(len(orders))
    features["value"] = _value_code(orders[-1]) if orders else -1.0
    return features


def _value_code(order: Order) -> float:
    return float(VALUES.index(order.value)) if order.value in VALUES else -1.0


def measure(source: Look, edited: Look, orders: Sequence[Order]) -> Features:
    """What the pixels show of a pair, less what the heads say (that is `look_features`).

    What belongs to one order is named after its place in the instruction: "0.t_score".
    """
    change = compare(source, edited)
    features = overall_features(change) | order_codes(orders)
    tones = _tone(change.source.lab), _tone(change.edited.lab)
    zone: Flags = np.zeros(change.net.shape, np.bool_)
    for place, order in enumerate(orders[:MOST_ORDERS]):
        own: Features = {}
        if order.operation in LOCAL:
            examined = examine(order, change)
            zone |= examined.zone
            own = examined.features
        elif order.operation == "color_correction":
            own = _aimed(order, *tones)
        features |= {f"{place}.{name}": value for name, value in own.items()}
    features |= outside_features(change, zone, "out") | structure_outside(change, zone)
    return features | followed_features(change, zone) | _toned(*tones)


def look_features(orders: Sequence[Order], before: Opinion, after: Opinion) -> Features:
    """What the heads say of a pair."""
    features = kept_features(before, after)
    for place, order in enumerate(orders[:MOST_ORDERS]):
        own = order_features(order, before, after)
        features |= {f"{place}.{name}": value for name, value in own.items()}
    return features


def order_rows(measured: Features, orders: Sequence[Order]) -> list[Features]:
    """For each order, what tells whether it was carried out, wherever it stands in the instruction.

    `measured` holds what `measure` and `look_features` gave.
    """
    whole = {n: value for n, value in measured.items() if n.startswith(WHOLE) or n in WHOLE_NAMES}
    rows: list[Features] = []
    orders = orders[:MOST_ORDERS]
    for place, order in enumerate(orders):
        others = [other for other in orders if other is not order]
        toned = order.operation == "color_correction"
        row = whole | _own(measured, place)
        row |= {f"op_{name}": float(order.operation == name) for name in OPERATIONS}
        row |= {
            "value": _value_code(order),
            **{n if toned else f"all_{n}": v for n, v in measured.items() if n.startswith("tone_")},
            "times": float(order.times),
            "other_local": float(sum(other.operation in LOCAL for other in others)),
            "other_whole": float(sum(other.operation not in LOCAL for other in others)),
        }
        rows.append(row)
    return rows


def pair_features(measured: Features, orders: Sequence[Order], chances: Sequence[float]) -> Features:
    """What the pair is judged by. `chances`: that each order was carried out.

    However many orders there are, the one least surely carried out stands for them: its own features are
    the pair's, beside the least and the largest chance.
    """
    features = {name: value for name, value in measured.items() if not OWN.match(name)}
    if not chances:
        return features
    least = int(np.argmin(chances))
    code = float(OPERATIONS.index(orders[least].operation))
    return (
        features
        | _own(measured, least)
        | ({"local_operation": code} if orders[least].operation in LOCAL else {})
        | {
            "least_operation": code,
            "least_value": _value_code(orders[least]),
            "done_least": float(chances[least]),
            "done_most": float(max(chances)),
            "done_all": float(np.prod(chances)),
        }
    )


def _own(measured: Features, place: int) -> Features:
    prefix = f"{place}."
    return {name.removeprefix(prefix): v for name, v in measured.items() if name.startswith(prefix)}


def _tone(colours: Array) -> Features:
    chroma = np.hypot(colours[..., 1], colours[..., 2])
    return {
        "light": float(colours[..., 0].mean()),
        "a": float(colours[..., 1].mean()),
        "b": float(colours[..., 2].mean()),
        "chroma": float(chroma.mean()),
        "spread": float(colours[..., 0].std()),
    }


def _toned(first: Features, second: Features) -> Features:
    features = {f"tone_{name}": second[name] - first[name] for name in first}
    return features | {f"now_{name}": second[name] for name in ("light", "chroma", "spread")}


def _aimed(order: Order, first: Features, second: Features) -> Features:
    """How far a colour correction went the way it should."""
    aim = AIMS.get(str(order.value))
    if aim is None:
        return {}
    name, sign = aim
    return {"aimed": sign * (second[name] - first[name])}


# ---- the soft filter's own, coarser eye ------------------------------------------------------------------


def glance(source: Pixels, edited: Pixels, orders: Sequence[Order]) -> Features:
    """A pair at a glance: the whole of it, small, and no thing looked for."""
    height, width = source.shape[:2]
    side = (width * height) ** 0.5
    size = (max(8, round(width * SMALL / side)), max(8, round(height * SMALL / side)))
    middle = (min(width, 3 * size[0]), min(height, 3 * size[1]))
    medium = [cv2.resize(each, middle, interpolation=cv2.INTER_AREA) for each in (source, edited)]
    small = [
        cv2.resize(each, size, interpolation=cv2.INTER_AREA).astype(np.float32) / np.float32(255)
        for each in medium
    ]
    colours = [lab(np.asarray(each, np.float32)) for each in small]
    apart = np.sqrt(((colours[1] - colours[0]) ** 2).sum(axis=2))
    low, half, high, top = np.percentile(apart, (10, 50, 90, 99))
    plain = (apart > 10).astype(np.uint8)
    count, _, stats, _ = cv2.connectedComponentsWithStats(plain, connectivity=8)
    areas = np.sort(stats[1:, cv2.CC_STAT_AREA])[::-1] if count > 1 else np.zeros(1)
    grey = [cv2.cvtColor(np.asarray(each), cv2.COLOR_RGB2GRAY) for each in medium]
    detail = [float(np.abs(cv2.Laplacian(each, cv2.CV_16S, ksize=1)).mean()) for each in grey]
    slopes = [np.abs(cv2.Sobel(each, cv2.CV_16S, 1, 0)).astype(np.float32).ravel() for each in grey]
    features: Features = {
        "small_mean": float(apart.mean()),
        "small_p10": float(low),
        "small_p50": float(half),
        "small_p90": float(high),
        "small_p99": float(top),
        "small_plain": float(plain.mean()),
        "small_largest": float(areas[0]) / apart.size,
        "small_second": float(areas[1]) / apart.size if len(areas) > 1 else 0.0,
        "small_parts": float((areas > 8).sum()),
        "small_detail": float(np.log((detail[1] + 0.3) / (detail[0] + 0.3))),
        "small_level": detail[1],
        "small_edges": float(
            (slopes[0] * slopes[1]).sum() / (np.sqrt((slopes[0] ** 2).sum() * (slopes[1] ** 2).sum()) + 1.0)
        ),
    }
    tones = _tone(colours[0]), _tone(colours[1])
    for order in orders:
        features |= _aimed(order, *tones) if order.operation == "color_correction" else {}
    return features | order_codes(orders) | _toned(*tones)
