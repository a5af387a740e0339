"""What the screen measures on a source: the things its prompt names, and how the whole looks."""

from __future__ import annotations

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

DEFAULTS: Final = {
    "time": "day",
    "season": "summer",
    "weather": "clear",
    "style": "render",
    "degradation": UNDAMAGED,
}


def measure_source(look: Look, reading: PromptReading) -> Features:
    """What the pixels show of each thing named, worst, second worst and on average."""
    found = [(mention, find(look, mention.kind, count=2)) for mention in reading.things[:6]]
    each = [_thing(look, mention, poses) for mention, poses in found if poses]
    features: Features = {"things": float(len(reading.things)), "unfound": float(len(found) - len(each))}
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
    poses = [poses[0] for _, poses in found if poses]
    features["overlap"] = max(
        (_overlap(a, b) for i, a in enumerate(poses) for b in poses[:i]), default=float("nan")
    )
    lightness = look.lab[..., 0]
    chroma = np.hypot(look.lab[..., 1], look.lab[..., 2])
    features |= {
        "light": float(lightness.mean()),
        "light_low": float(np.percentile(lightness, 3)),
        "light_high": float(np.percentile(lightness, 97)),
        "spread": float(lightness.std()),
        "chroma": float(chroma.mean()),
        "chroma_high": float(np.percentile(chroma, 95)),
        "clipped": float((lightness > 97).mean()),
    }
    return features


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
