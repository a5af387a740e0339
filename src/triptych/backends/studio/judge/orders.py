"""Whether a local order was carried out: what it names, found in both pictures and looked at closely."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np

from triptych.backends.studio.canvas import Array
from triptych.backends.studio.catalogue import COLOURS, KINDS
from triptych.backends.studio.judge.change import PLAIN, Change, Features, Flags
from triptych.backends.studio.judge.dress import (
    Dress,
    colours_of,
    dress_named,
    dressed,
    dyed_part,
    light_on,
    materials_of,
    misfits,
    patch,
)
from triptych.backends.studio.judge.finding import Pose, find, refine
from triptych.backends.studio.judge.look import SIDE, Look
from triptych.backends.studio.judge.reading import Mention, Order

LOCAL: Final = frozenset({"add", "remove", "replace", "color", "material", "resize"})
RESIZED: Final = 5  # STEP ** 5 is about what "bigger" means here
LADDER: Final = (-12, -10, -8, -6, -5, -4, -2, 0, 2, 4, 5, 6, 8, 10, 12)
NEUTRAL: Final = np.full(3, 0.9, np.float32)
CLOSE_SCORE: Final = 0.12  # poses whose scores are nearer than this: the words decide between them


@dataclass(frozen=True, eq=False)
class Examined:
    """A local order's features, and where in the frame it may have changed something."""

    features: Features
    zone: Flags  # (H, W)


def examine(order: Order, change: Change) -> Examined:
    """Look for what a local order names, in both pictures."""
    features: Features = {}
    zone: Flags = np.zeros(change.net.shape, np.bool_)
    pose: Pose | None = None
    light = NEUTRAL
    if order.target is not None:
        pose = pick_pose(change.source, order.target)
        if pose is not None:
            light = _examine_target(order, order.target, pose, change, features)
            _cover(zone, pose, grown=1.75 if order.value == "bigger" else 1.0)
    if order.thing is not None and order.operation in ("add", "replace"):
        _examine_new(order, order.thing, pose, change, light, features, zone)
    return Examined(features, zone)


def pick_pose(look: Look, mention: Mention) -> Pose | None:
    """Where the thing that is meant stands: the best fit that agrees with the words."""
    poses = find(look, mention.kind, count=2)
    if not poses:
        return None
    best = poses[0]
    for other in poses[1:]:
        if best.score - other.score < CLOSE_SCORE and _third(other, look) == mention.place != _third(
            best, look
        ):
            best = other
    return best


def _third(pose: Pose, look: Look) -> str:
    across = pose.foot[0] / look.width
    return "left" if across < 0.37 else "right" if across > 0.63 else "middle"


def inside(field: Array, pose: Pose, least: float = 0.6) -> Array:
    """The values of a field where a pose covers it."""
    window, alpha = _on_frame(field, pose)
    values = field[window][alpha > least]
    return values if values.size >= 6 else np.zeros(6, np.float32)


def _on_frame(field: Array, pose: Pose) -> tuple[tuple[slice, slice], Array]:
    rows, columns = field.shape[:2]
    top, left = max(0, pose.top), max(0, pose.left)
    bottom, right = min(rows, pose.top + pose.height), min(columns, pose.left + pose.width)
    bottom, right = max(top, bottom), max(left, right)
    alpha = pose.alpha[top - pose.top : bottom - pose.top, left - pose.left : right - pose.left]
    return (slice(top, bottom), slice(left, right)), alpha


def _cover(zone: Flags, pose: Pose, grown: float) -> None:
    """Mark where a thing and what it throws on its surroundings may be."""
    x, y = pose.foot
    tall, half = pose.height * grown, pose.width * grown / 2
    pad = 3 + 0.06 * tall
    top, bottom = int(y - tall - pad), int(y + pad + 0.3 * tall)
    left, right = int(x - half - pad - 0.2 * tall), int(x + half + pad + 0.2 * tall)
    zone[max(0, top) : max(0, bottom), max(0, left) : max(0, right)] = True


def _summary(prefix: str, values: Array) -> Features:
    low, middle, high = np.percentile(values, (15, 50, 85))
    return {
        f"{prefix}_mean": float(values.mean()),
        f"{prefix}_p15": float(low),
        f"{prefix}_p50": float(middle),
        f"{prefix}_p85": float(high),
        f"{prefix}_plain": float((values > PLAIN).mean()),
    }


def _examine_target(order: Order, target: Mention, pose: Pose, change: Change, features: Features) -> Array:
    """Features of the thing that was to change; gives the light that falls on it."""
    kept = refine(change.edited, pose, reach=3)
    features |= {
        "t_score": pose.score,
        "t_kept": kept.score,
        "t_drop": kept.score - pose.score,
        "t_size": pose.size * 1.0,
        "t_tall": pose.height / SIDE,
        "t_place": float(target.place == _third(pose, change.source)) if target.place else float("nan"),
        "t_carry": _carry(change, pose),
    }
    features |= _summary("t_net", inside(change.net, pose))
    features["t_edge_ratio"] = float(
        np.log(
            (inside(change.edited.edges[..., 0], pose).mean() + 0.02)
            / (inside(change.source.edges[..., 0], pose).mean() + 0.02)
        )
    )
    old = dress_named(pose.kind, target.colour, target.material)
    before, after = patch(change.source.rgb, pose), patch(change.edited.rgb, pose)
    light = light_on(before, pose.kind, old)
    features["t_dress"] = float(misfits(before, pose.kind, light, (old,), _everywhere(pose))[0])
    if order.operation == "color" and order.value is not None:
        features |= _new_dress(pose, after, light, old, (order.value, None))
    elif order.operation == "material":
        features |= _new_material(order, pose, before, after, light, old)
    elif order.operation == "resize":
        features |= _new_size(order, pose, change.edited)
    return light


def _everywhere(pose: Pose) -> Flags:
    return np.ones(dressed(pose.kind, None, None)[1].shape, np.bool_)


def _carry(change: Change, pose: Pose) -> float:
    """How much of the source's slopes inside the pose is still in the edited picture: 1 all, 0 nothing."""
    (ax, ay), (bx, by) = change.source.gradient, change.edited.gradient
    shared = inside(ax * bx + ay * by, pose, 0.3).sum()
    own = inside(ax * ax + ay * ay, pose, 0.3).sum()
    return float(shared / (own + 1e-4))


def _new_dress(pose: Pose, after: Array, light: Array, old: Dress, asked: Dress) -> Features:
    """Is it the colour asked for, its old one, or another?"""
    asked = dress_named(pose.kind, *asked)
    dresses = tuple(dress for dress in colours_of(pose.kind) if dress not in (asked, old))
    where = dyed_part(pose.kind, old, asked)
    fits = misfits(after, pose.kind, light, (asked, old, *dresses), where)
    return {
        "d_asked": float(fits[0]),
        "d_old": float(fits[1]),
        "d_margin": float(fits[1:].min() - fits[0]),
        "d_other": float(fits[2:].min()) if len(fits) > 2 else float("nan"),
        "d_rank": float((fits[1:] < fits[0]).sum()),
        "d_share": float(where.mean()),
    }


def _new_material(
    order: Order, pose: Pose, before: Array, after: Array, light: Array, old: Dress
) -> Features:
    """Is it the material asked for, or another?"""
    plain = order.value == "plain"
    asked: Dress = (
        dress_named(pose.kind, order.thing.colour if order.thing else None, None)
        if plain
        else (None, order.value)
    )
    dresses = tuple(dress for dress in materials_of() if dress != asked)
    fits = misfits(after, pose.kind, light, (asked, *dresses), _everywhere(pose))
    _, alpha = dressed(pose.kind, None, None)
    solid = alpha > 0.7
    grey = [cv2.cvtColor(seen, cv2.COLOR_RGB2GRAY)[solid] for seen in (before, after)]
    alike = np.corrcoef(grey[0], grey[1])[0, 1] if min(g.std() for g in grey) > 1e-3 else 0.0
    means = after[solid].mean(axis=0)
    return {
        "m_asked": float(fits[0]) if order.value != "glass" else float("nan"),
        "m_margin": float(fits[1:].min() - fits[0]) if order.value != "glass" else float("nan"),
        "m_best": float(fits.min()),
        "m_old": float(misfits(after, pose.kind, light, (old,), _everywhere(pose))[0]),
        "m_rank": float((fits[1:] < fits[0]).sum()),
        "m_alike": float(alike),
        "m_contrast": float(np.log((grey[1].std() + 0.02) / (grey[0].std() + 0.02))),
        **{f"m_{name}": float(value) for name, value in zip("rgb", means / (light + 0.05), strict=True)},
    }


def _new_size(order: Order, pose: Pose, edited: Look) -> Features:
    """At which size does it fit best now?"""
    scores = {
        step: refine(edited, stand_in(pose, pose.kind, pose.size + step, pose.flip), 3, (0,)).score
        for step in LADDER
    }
    best = max(scores, key=lambda step: scores[step])
    sign = 1 if order.value == "bigger" else -1
    asked, slack = (RESIZED, 1) if order.times == 1 else (2 * RESIZED, 2)
    near = max(score for step, score in scores.items() if abs(sign * step - asked) <= slack)
    return {
        "r_step": float(sign * best - asked + RESIZED),
        "r_expected": near,
        "r_margin": near - max(scores[0], scores[sign * 2] - 0.05),
        "r_twice": max(score for step, score in scores.items() if sign * step >= asked + 3 - slack // 2)
        - near,
        "r_wrong": max(scores[-sign * step] for step in (4, 5, 6)) - near,
    }


def _examine_new(
    order: Order,
    thing: Mention,
    old: Pose | None,
    change: Change,
    light: Array,
    features: Features,
    zone: Flags,
) -> None:
    """Features of the thing that was to come."""
    poses = find(change.edited, thing.kind, count=2)
    best = poses[0] if poses else None
    if old is not None and order.operation == "replace":
        expected = [
            refine(change.edited, stand_in(old, thing.kind, old.size, flip), reach=4)
            for flip in ((False, True) if KINDS[thing.kind].can_flip else (False,))
        ]
        there = max(expected, key=lambda pose: pose.score)
        features["n_there"] = there.score
        if best is None or there.score > best.score - 0.08:
            features["n_elsewhere"] = (best.score if best is not None else 0.0) - there.score
            best = there
        x, y = old.foot
        features["n_off"] = float(np.hypot(best.foot[0] - x, best.foot[1] - y) / old.height)
        features["n_growth"] = float(best.size - old.size)
    if best is None:
        return
    _cover(zone, best, grown=1.0)
    before = refine(change.source, best, reach=2, sizes=(0,))
    values = inside(change.net, best)
    features |= {
        "n_score": best.score,
        "n_before": before.score,
        "n_gain": best.score - before.score,
        "n_size": float(best.size),
        "n_tall": best.height / SIDE,
        "n_x": best.foot[0] / change.edited.width,
        "n_y": best.foot[1] / change.edited.height,
        "n_carry": _carry(change, best),
    }
    features |= _summary("n_net", values)
    features |= _second(poses, best, change)
    features |= _placed(thing, best, change)
    seen = patch(change.edited.rgb, best)
    asked = dress_named(thing.kind, thing.colour, thing.material)
    if order.operation == "add":
        light = _scene_light(seen, thing, asked)
    features |= _fit(seen, thing.kind, asked, light)


def stand_in(old: Pose, kind: str, size: int, flip: bool) -> Pose:
    """A thing of this kind and size whose foot is where the old one's is."""
    pose = Pose(kind, 0.0, 0, 0, size, flip)
    x, y = old.foot
    return replace(pose, left=round(x - pose.width / 2), top=round(y - pose.height))


def _second(poses: list[Pose], best: Pose, change: Change) -> Features:
    """Is there another of it that is new as well?"""
    others = [pose for pose in poses if abs(pose.foot[0] - best.foot[0]) > 0.3 * best.width]
    if not others:
        return {"n_second": float("nan")}
    return {
        "n_second": others[0].score,
        "n_second_gap": best.score - others[0].score,
        "n_second_net": float(np.median(inside(change.net, others[0]))),
    }


def _placed(thing: Mention, pose: Pose, change: Change) -> Features:
    """How far from where it was to stand, in frame widths."""
    across = pose.foot[0] / change.edited.width
    if thing.beside is not None:
        hosts = find(change.source, thing.beside)
        if hosts:
            gap = abs(pose.foot[0] - hosts[0].foot[0]) / hosts[0].height
            return {"n_aside": float(gap), "n_host": hosts[0].score}
    limits = {"left": (0.0, 0.40), "middle": (0.34, 0.66), "right": (0.60, 1.0)}
    if thing.place in limits:
        low, high = limits[thing.place]
        return {"n_misplaced": float(max(low - across, across - high, -0.1))}
    return {}


def _scene_light(seen: Array, thing: Mention, asked: Dress) -> Array:
    """Its colour is in doubt, so only the light's strength is taken from what is seen, and half its tint."""
    light = light_on(seen, thing.kind, asked)
    mean = np.float32(light.mean())
    return np.asarray(mean + np.clip(light - mean, -0.12, 0.12) * np.float32(0.5), np.float32)


def _fit(seen: Array, kind: str, asked: Dress, light: Array) -> Features:
    """How well the thing's own picture, in the dress asked for, explains what is seen."""
    rgb, alpha = dressed(kind, *asked)
    solid = alpha > 0.7
    first = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[solid]
    second = cv2.cvtColor(seen, cv2.COLOR_RGB2GRAY)[solid]
    features: Features = {"f_alike": float("nan"), "f_slope": float("nan")}
    if solid.sum() > 20 and first.std() > 0.01:
        covariance = float(((first - first.mean()) * (second - second.mean())).mean())
        features["f_alike"] = covariance / float(first.std() * second.std() + 1e-3)
        features["f_slope"] = covariance / float(first.var())
    others = (
        tuple(dress for dress in colours_of(kind) if dress != asked) if asked[1] is None else materials_of()
    )
    if not KINDS[kind].recolourable and asked[1] is None:
        others = ((next(iter(COLOURS)), None),)
    fits = misfits(seen, kind, light, (asked, *(o for o in others if o != asked)), np.ones_like(solid))
    return features | {
        "f_asked": float(fits[0]),
        "f_margin": float(fits[1:].min() - fits[0]),
        "f_rank": float((fits[1:] < fits[0]).sum()),
    }
