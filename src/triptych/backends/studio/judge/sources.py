"""What the screen measures on a source: the things its prompt names, and how the whole looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from triptych.backends.studio.catalogue import KINDS
from triptych.backends.studio.judge.change import Features, Flags
from triptych.backends.studio.judge.dress import colours_of, dress_named, dressed, light_on, misfits, patch
from triptych.backends.studio.judge.finding import Pose, find
from triptych.backends.studio.judge.heads import HEADS, UNDAMAGED
from triptych.backends.studio.judge.look import SIDE, Look
from triptych.backends.studio.judge.opinions import Opinion
from triptych.backends.studio.judge.reading import Mention, PromptReading

MOST_THINGS: Final = 6
DEFAULTS: Final = {
    "time": "day",
    "season": "summer",
    "weather": "clear",
    "style": "render",
    "degradation": UNDAMAGED,
}


@dataclass(frozen=True)
class SourceMeasured:
    """What the pixels show of a source: of each thing named (empty: no room for it), and as a whole."""

    things: tuple[Features, ...]
    whole: Features


def measure_source(look: Look, reading: PromptReading) -> SourceMeasured:
    """Look for everything that the prompt names."""
    found = [(mention, find(look, mention.kind, count=2)) for mention in reading.things[:MOST_THINGS]]
    return SourceMeasured(
        tuple(_thing(look, mention, poses) if poses else {} for mention, poses in found),
        _whole(look, [poses[0] for _, poses in found if poses]),
    )


def thing_rows(measured: SourceMeasured, seen: Opinion) -> list[Features]:
    """For each thing named, what tells whether it is shown as it should be."""
    looks = {
        f"is_{label}": chance for name in ("setting", "style") for label, chance in seen.of[name].items()
    }
    looks["is_night"] = seen.of["time"].get("night", 0.0)
    return [thing | looks for thing in measured.things]


def source_features(measured: SourceMeasured, shown: Sequence[float]) -> Features:
    """All about a source: its things' features at their worst, and the chances that they are shown."""
    each = [thing for thing in measured.things if thing]
    features = measured.whole | {
        "things": float(len(measured.things)),
        "unfound": float(len(measured.things) - len(each)),
    }
    if shown:
        ordered = sorted(shown)
        features |= {"shown_least": ordered[0], "shown_second": ordered[min(1, len(ordered) - 1)]}
    for name in sorted({name for one in each for name in one}):
        values = np.sort(np.array([one[name] for one in each if not np.isnan(one.get(name, np.nan))]))
        if not len(values):
            continue
        features[f"{name}_least"] = float(values[0])
        features[f"{name}_most"] = float(values[-1])
        features[f"{name}_mean"] = float(values.mean())
        if len(values) > 1:
            features[f"{name}_least2"] = float(values[1])
            features[f"{name}_most2"] = float(values[-2])
    return features


def _whole(look: Look, poses: list[Pose]) -> Features:
    lightness = look.lab[..., 0]
    chroma = np.hypot(look.lab[..., 1], look.lab[..., 2])
    return {
        "overlap": max(
            (_overlap(a, b) for i, a in enumerate(poses) for b in poses[:i]), default=float("nan")
        ),
        "light": float(lightness.mean()),
        "light_low": float(np.percentile(lightness, 3)),
        "light_high": float(np.percentile(lightness, 97)),
        "spread": float(lightness.std()),
        "chroma": float(chroma.mean()),
        "chroma_high": float(np.percentile(chroma, 95)),
        "clipped": float((lightness > 97).mean()),
    }


def source_look_features(reading: PromptReading, seen: Opinion) -> Features:
    """Whether the whole looks as the prompt says, and what it looks like."""
    features: Features = {}
    for name in HEADS:
        asked: str = getattr(reading, name) or DEFAULTS.get(name, "")
        chances = seen.of[name]
        if asked in chances:
            features[f"asked_{name}"] = chances[asked]
            features[f"other_{name}"] = max(p for c, p in chances.items() if c != asked)
    for name in ("setting", "style"):
        for label, chance in seen.of[name].items():
            features[f"is_{label}"] = chance
    for label in ("day", "dusk", "night"):
        features[f"is_{label}"] = seen.of["time"].get(label, 0.0)
    features["said_day"] = float((reading.time or "day") == "day")
    return features


def _thing(look: Look, mention: Mention, poses: list[Pose]) -> Features:
    best = poses[0]
    kind = KINDS[mention.kind]
    across, foot = best.foot[0] / look.width, best.foot[1] / look.height
    seen = patch(look.rgb, best)
    asked = dress_named(mention.kind, mention.colour, mention.material)
    light = light_on(seen, mention.kind, asked)
    fixed = np.full(3, float(light.mean()), np.float32)
    everywhere: Flags = np.ones(dressed(mention.kind, None, None)[1].shape, np.bool_)
    dresses = [dress for dress in colours_of(mention.kind) if dress != asked] if kind.recolourable else []
    fits = misfits(seen, mention.kind, fixed, (asked, *dresses), everywhere)
    result: Features = {
        "score": best.score,
        "second": poses[1].score if len(poses) > 1 else float("nan"),
        "second_gap": best.score - poses[1].score if len(poses) > 1 else float("nan"),
        "foot": foot if kind.group != "sky" else float("nan"),
        "size": best.size - 6 * foot if kind.group != "sky" else float("nan"),
        "tall": best.height / SIDE,
        "dress": float(fits[0]),
        "dress_margin": float(fits[1:].min() - fits[0]) if dresses else float("nan"),
        "dress_rank": float((fits[1:] < fits[0]).sum()) if dresses else float("nan"),
        "tint": float(np.abs(light - light.mean()).max()),
    }
    limits = {"left": (0.0, 0.40), "middle": (0.34, 0.66), "right": (0.60, 1.0)}
    if mention.place in limits:
        low, high = limits[mention.place]
        result["misplaced"] = max(low - across, across - high, -0.1)
    return result


def _overlap(first: Pose, second: Pose) -> float:
    across = min(first.left + first.width, second.left + second.width) - max(first.left, second.left)
    down = min(first.top + first.height, second.top + second.height) - max(first.top, second.top)
    smaller = min(first.width * first.height, second.width * second.height)
    return max(0, across) * max(0, down) / max(1, smaller)
