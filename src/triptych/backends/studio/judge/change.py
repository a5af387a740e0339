"""What changed between two pictures, where, and what of the old picture's structure is left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import hypot
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from triptych.backends.studio.canvas import Array
from triptych.backends.studio.judge.look import SIDE, Look, lab
from triptych.pixels import signals

PLAIN: Final = 7.0  # ΔE from which on a change counts as plain
REGISTERED: Final = 0.12  # px of displacement from which on the edited picture is laid back over the source
Features = dict[str, float]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Change:
    """Two pictures laid over each other. `raw`, `net`: ΔE by pixel, before and after one colour transform."""

    source: Look
    edited: Look  # laid back over the source
    raw: Array
    net: Array
    matched: Array  # the edited picture, its colours brought nearest to the source's by one transform
    signals: Mapping[str, float]
    displacement: float  # mean over the frame, in thousandths of the side; NaN: unknown


def compare(source: Look, edited: Look) -> Change:
    """Lay the edited picture over the source and measure the difference."""
    measured = signals.measure(source.pixels, edited.pixels)
    displacement = float("nan")
    if "registration.shift" in measured:
        zoom = measured["registration.zoom"]
        stretch = 0.38 * abs(zoom) / 100 * 1000  # mean distance to the middle: 0.38 of the side
        shift = measured["registration.shift"] / source.full_side * 1000
        displacement = hypot(shift, stretch)
        if displacement * source.full_side / 1000 > REGISTERED:
            edited = edited.moved_back(measured["registration.dx"], measured["registration.dy"], zoom)
    raw = _distance(source.lab, edited.lab)
    matched = _matched(edited.rgb, source.rgb, raw)
    net = _distance(source.lab, lab(matched))
    return Change(source, edited, raw, net, matched, measured, displacement)


def _distance(first: Array, second: Array) -> Array:
    squared = ((first - second) ** 2).sum(axis=2)
    return np.asarray(cv2.GaussianBlur(np.sqrt(squared), (0, 0), 1.0), np.float32)


def _matched(rgb: Array, aim: Array, difference: Array) -> Array:
    """`rgb` through the linear colour transform that brings its calmer half nearest to `aim`."""
    thin = (slice(1, None, 3), slice(1, None, 3))
    colours = rgb[thin].reshape(-1, 3)
    wanted = aim[thin].reshape(-1, 3)
    apart: NDArray[np.floating] = difference[thin].ravel()
    design = np.hstack([colours, np.ones((len(colours), 1), np.float32)]).astype(np.float64)
    transform: NDArray[np.float64] = np.vstack([np.eye(3), np.zeros((1, 3))])
    for _ in range(2):
        calm = apart <= np.median(apart)
        part = design[calm]
        # A little of the identity keeps a flat picture's transform tame.
        normal = part.T @ part + 0.01 * len(part) * np.eye(4)
        transform = np.linalg.solve(
            normal, part.T @ wanted[calm] + 0.01 * len(part) * np.vstack([np.eye(3), np.zeros((1, 3))])
        )
        apart = np.abs(design @ transform - wanted).sum(axis=1)
    moved = rgb @ transform[:3].astype(np.float32) + transform[3].astype(np.float32)
    return np.asarray(np.clip(moved, 0, 1), np.float32)


def overall_features(change: Change) -> Features:
    """The pair as a whole: registration, drift, sharpness, how much changed, how much structure is kept."""
    features: Features = {name.replace(".", "_"): value for name, value in change.signals.items()}
    for name in ("registration_dx", "registration_dy"):
        features.pop(name, None)
    features["displacement"] = change.displacement
    for name, field in (("raw", change.raw), ("net", change.net)):
        low, middle, high, top = np.percentile(field[::2, ::2], (10, 50, 90, 99))
        features |= {
            f"{name}_mean": float(field.mean()),
            f"{name}_p10": float(low),
            f"{name}_p50": float(middle),
            f"{name}_p90": float(high),
            f"{name}_p99": float(top),
            f"{name}_plain": float((field > PLAIN).mean()),
        }
    return features | _structure(change) | _detail(change)


def _structure(change: Change) -> Features:
    """Agreement of the slopes in small windows, weighted by the source's own."""
    ax, ay = change.source.gradient
    bx, by = change.edited.gradient
    shared = _boxed(ax * bx + ay * by)
    # A running box sum of float32 squares may end a hair below zero.
    first, second = (np.maximum(_boxed(x * x + y * y), 0) for x, y in ((ax, ay), (bx, by)))
    agreement = shared / (np.sqrt(first * second) + np.float32(2e-4))
    energy = np.log((np.sqrt(second) + np.float32(0.01)) / (np.sqrt(first) + np.float32(0.01)))
    weight = np.sqrt(first)
    weighted = float((agreement * weight).sum() / (weight.sum() + 1e-6))
    strong = first > np.percentile(first[::3, ::3], 70)
    values = agreement[strong] if strong.any() else agreement.ravel()
    calm = energy - np.median(energy)
    return {
        "structure_mean": weighted,
        **{
            f"structure_p{q}": float(v)
            for q, v in zip((2, 10, 30), np.percentile(values, (2, 10, 30)), strict=True)
        },
        "structure_gone": float(((agreement < 0.3) & strong).sum() / max(1, int(strong.sum()))),
        "energy_median": float(np.median(energy)),
        **{
            f"energy_p{q}": float(v)
            for q, v in zip((1, 5, 95, 99), np.percentile(calm[::2, ::2], (1, 5, 95, 99)), strict=True)
        },
    }


def structure_outside(change: Change, zone: Flags) -> Features:
    """The largest patches outside `zone` of which the outlines are gone, and of outlines that are new.

    What nobody asked for is seen so even where an order changes every colour.
    """
    ax, ay = change.source.gradient
    bx, by = change.edited.gradient
    first, second = (np.sqrt(np.maximum(_narrow(x * x + y * y), 0)) for x, y in ((ax, ay), (bx, by)))
    shared = np.abs(_narrow(ax * bx + ay * by))
    agreement = shared / (first * second + np.float32(1e-4))
    outside = ~zone
    features: Features = {}
    for name, own, other in (("gone", first, second), ("come", second, first)):
        level = float(np.percentile(own[::2, ::2], 70))
        strong = (own > max(level, 0.02)) & outside
        usual = float(np.median(agreement[strong])) if strong.any() else float("nan")
        lacking = (strong & (agreement < 0.45) & (other < 0.6 * own)).astype(np.uint8)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(lacking, connectivity=8)
        areas = stats[1:, cv2.CC_STAT_AREA] if count > 1 else np.zeros(1)
        features |= {
            f"{name}_usual": usual,
            f"{name}_share": float(lacking.sum() / max(1, int(strong.sum()))),
            f"{name}_area": float(areas.max()) / SIDE**2 * 100,
            f"{name}_second": float(np.sort(areas)[-2]) / SIDE**2 * 100 if len(areas) > 1 else 0.0,
        }
        if count > 1:
            mask = labels == 1 + int(np.argmax(areas))
            features |= {
                f"{name}_depth": float(own[mask].mean() / (own[strong].mean() + 1e-4)),
                f"{name}_change": float(change.net[mask].mean()),
            }
    return features


def _narrow(field: Array) -> Array:
    return np.asarray(cv2.blur(field, (7, 7)), np.float32)


def _detail(change: Change) -> Features:
    """Fine detail by blocks, edited over source: a soft patch, a noisy one."""
    values: list[Array] = []
    for look in (change.source, change.edited):
        fine = cv2.absdiff(look.fine_grey, cv2.GaussianBlur(look.fine_grey, (0, 0), 1.0))
        size = (max(1, fine.shape[1] // 24), max(1, fine.shape[0] // 24))
        values.append(np.asarray(cv2.resize(fine, size, interpolation=cv2.INTER_AREA), np.float32))
    ratio = np.log((values[1] + np.float32(0.002)) / (values[0] + np.float32(0.002)))
    smooth = cv2.blur(ratio, (3, 3))
    return {
        "detail_median": float(np.median(ratio)),
        "detail_low": float(np.percentile(ratio, 5)),
        "detail_high": float(np.percentile(ratio, 95)),
        "detail_least": float(smooth.min() - np.median(ratio)),
        "detail_most": float(smooth.max() - np.median(ratio)),
        "detail_level": float(np.log(values[1].mean() + 0.001)),
        "detail_calm": float(
            np.log((np.percentile(values[1], 20) + 0.0005) / (np.percentile(values[0], 20) + 0.0005))
        ),
    }


def _boxed(field: Array) -> Array:
    return np.asarray(cv2.blur(field, (13, 13)), np.float32)


def outside_features(change: Change, zone: Flags, prefix: str) -> Features:
    """Changes where nothing was asked to change. `zone`, (H, W) bool: where it was."""
    outside = (~zone).astype(np.float32)
    share = float(outside.mean())
    if share < 0.03:
        return {f"{prefix}_share": share}
    net, raw = change.net * outside, change.raw * outside
    plain = (net > PLAIN).astype(np.uint8)
    plain = np.asarray(cv2.morphologyEx(plain, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8)), np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(plain, connectivity=8)
    features: Features = {
        f"{prefix}_share": share,
        f"{prefix}_raw": float(raw.sum() / outside.sum()),
        f"{prefix}_net": float(net.sum() / outside.sum()),
        f"{prefix}_p99": float(np.percentile(net, 99)),
        f"{prefix}_plain": float(plain.mean()),
        f"{prefix}_patch": float(cv2.blur(net, (13, 13)).max()),
        f"{prefix}_wide": float(cv2.blur(net, (27, 27)).max()),
        f"{prefix}_mass": float(net.sum() / (change.net.sum() + 1e-3)),
        f"{prefix}_parts": float((stats[1:, cv2.CC_STAT_AREA] > 25).sum()) if count > 1 else 0.0,
    }
    if count > 1:
        largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
        mask = labels == largest
        width, height, area = (int(v) for v in stats[largest][2:5])
        before, after = (float(look.edges[..., 0][mask].mean()) for look in (change.source, change.edited))
        features |= {
            f"{prefix}_area": area / SIDE**2 * 100,
            f"{prefix}_depth": float(net[mask].mean()),
            f"{prefix}_fill": area / max(1, width * height),
            f"{prefix}_slender": float(np.log((height + 1) / (width + 1))),
            f"{prefix}_edges": float(np.log((after + 0.02) / (before + 0.02))),
        }
    else:
        features[f"{prefix}_area"] = 0.0
    return features
