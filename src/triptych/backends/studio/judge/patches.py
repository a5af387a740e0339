"""Whether what stood out is still there: the source's striking patches, followed into the edited picture."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from triptych.backends.studio.canvas import Array
from triptych.backends.studio.judge.change import Change, Features, Flags

PATCH: Final = 26  # px
REACH: Final = 22  # px that a patch is followed over
MOST: Final = 14
NEAR: Final = 2.5  # px: not farther, and it hasn't moved
STAYS: Final = 0.08  # fit that another place must win by


def followed_features(change: Change, zone: Flags) -> Features:
    """Patches outside `zone`: how well each is found again, and how far away."""
    corners = _striking(change.source.edges[..., 0] * (~zone).astype(np.float32))
    if not corners:
        return {"patches": 0.0}
    still, best, moved, tint = (
        np.array(part) for part in zip(*(_follow(change, *c) for c in corners), strict=True)
    )
    order = np.argsort(still)
    second = order[1] if len(order) > 1 else order[0]
    return {
        "patches": float(len(corners)),
        "patch_still_least": float(still[order[0]]),
        "patch_still_second": float(still[second]),
        "patch_still_mean": float(still.mean()),
        "patch_best_least": float(best.min()),
        "patch_gain_most": float((best - still).max()),
        "patch_moved": float(moved.max()),
        "patch_moved_share": float((moved > 0).mean()),
        "patch_tint_most": float(tint.max()),
        "patch_tint_spread": float(tint.std()),
        "patch_odd": float(np.median(still) - still[order[0]]),
    }


def _striking(strength: Array) -> list[tuple[int, int]]:
    """Upper left corners of the patches with the most edges, apart from each other."""
    rows, columns = strength.shape
    if rows <= PATCH or columns <= PATCH:
        return []
    sums = np.asarray(cv2.boxFilter(strength, -1, (PATCH, PATCH), anchor=(0, 0)), np.float32)
    sums = sums[: rows - PATCH, : columns - PATCH].copy()
    floor = 0.35 * float(sums.max())
    corners: list[tuple[int, int]] = []
    half = PATCH * 2 // 3
    while len(corners) < MOST:
        _, value, _, (x, y) = cv2.minMaxLoc(sums)
        if value <= max(floor, 1e-4):
            break
        corners.append((x, y))
        sums[max(0, y - half) : y + half, max(0, x - half) : x + half] = 0
    return corners


def _follow(change: Change, x: int, y: int) -> tuple[float, float, float, float]:
    """Fit in place, best fit nearby, distance to that where it is plainly better, change of colour."""
    field = change.edited.edges
    rows, columns = field.shape[:2]
    part = change.source.edges[y : y + PATCH, x : x + PATCH]
    y0, x0 = max(0, y - REACH), max(0, x - REACH)
    window = field[y0 : min(rows, y + PATCH + REACH), x0 : min(columns, x + PATCH + REACH)]
    fits = cv2.matchTemplate(window, part, cv2.TM_CCOEFF_NORMED)
    here = fits[max(0, y - y0 - 1) : y - y0 + 2, max(0, x - x0 - 1) : x - x0 + 2]
    still = float(here.max())
    _, best, _, (bx, by) = cv2.minMaxLoc(fits)
    away = float(np.hypot(bx + x0 - x, by + y0 - y))
    tint = float(np.median(change.net[y : y + PATCH, x : x + PATCH]))
    return still, float(best), away if best > still + STAYS and away > NEAR else 0.0, tint
