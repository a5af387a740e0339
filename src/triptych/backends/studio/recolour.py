"""Recolouring: move the hue cluster that names a thing's colour, leave its other colours alone."""

from __future__ import annotations

import numpy as np

from triptych.backends.studio.canvas import Array, blur, hsv_to_rgb, luminance, rgb_to_hsv, smoothstep
from triptych.backends.studio.catalogue import COLOURS

BINS = 48
NEUTRALS = frozenset({"white", "grey", "black"})
HUE_KEPT = 0.4  # share of the cluster's own hue variation that survives: keeps shading alive


def recolour(rgb: Array, alpha: Array, colour: str, natural: str) -> Array:
    """HxWx3 picture with its `natural` colour turned into `colour` (keys of COLOURS; natural may be grey)."""
    target = COLOURS[colour]
    hsv = rgb_to_hsv(np.ascontiguousarray(rgb))
    hue, saturation, value = hsv[..., 0], hsv[..., 1], hsv[..., 2]
    centre = None if natural in NEUTRALS else _cluster_centre(hue, saturation, value, alpha, natural)
    if centre is None:
        offset: Array = np.zeros_like(hue)
        member = smoothstep(0.48, 0.24, saturation)
        if natural == "black":  # dark pixels have an unsteady saturation: settle the borders
            member = blur(smoothstep(0.62, 0.40, saturation), 0.008 * max(value.shape))
        else:
            member = member * smoothstep(0.18, 0.42, value)
    else:
        offset = (hue - np.float32(centre) + 0.5) % 1 - 0.5
        member = smoothstep(0.14, 0.09, np.abs(offset)) * smoothstep(0.10, 0.24, saturation)
    weight = member * alpha
    total = max(1.0, float(weight.sum()))
    mean_saturation = max(0.15, float((saturation * weight).sum()) / total)
    mean_value = max(0.12, float((value * weight).sum()) / total)

    relative = value / np.float32(mean_value)
    if mean_value < 0.5:  # a dark thing's contrast must not blow up with its brightness
        relative = relative**0.7
    if target.saturation < 0.15:
        # In white and black only lightness can carry the shading that hues carried.
        light = luminance(np.ascontiguousarray(rgb))
        mean_light = max(0.1, float((light * weight).sum()) / total)
        swing = np.float32(0.6 if colour == "white" else 0.5)
        new_value = np.float32(target.value * 0.92) + (light - np.float32(mean_light)) * swing
        new_saturation = np.full_like(saturation, target.saturation)
    else:
        new_value = relative * np.float32(target.value * 0.95)
        if centre is None:
            new_saturation = np.float32(target.saturation) * (
                1.18 - 0.45 * value / max(0.5, float(value.max()))
            )
        else:
            new_saturation = saturation / np.float32(mean_saturation) * np.float32(target.saturation * 0.95)
    new_hue = (np.float32(target.hue) + np.float32(HUE_KEPT) * offset) % 1
    clipped = (np.clip(new_saturation, 0, 1), np.clip(new_value, 0.02, 1))
    moved = hsv_to_rgb(np.dstack([new_hue, *clipped]).astype(np.float32))
    return np.asarray(rgb + (moved - rgb) * member[..., None], dtype=np.float32)


def _cluster_centre(hue: Array, saturation: Array, value: Array, alpha: Array, natural: str) -> float:
    """Hue (0..1) of the largest cluster near the colour that the thing is called by."""
    weight = (alpha > 0.5) * (saturation > 0.18) * saturation * value
    histogram, _ = np.histogram(hue, BINS, (0, 1), weights=weight)
    smooth = histogram + np.roll(histogram, 1) + np.roll(histogram, -1)
    centres = (np.arange(BINS) + 0.5) / BINS
    distance = np.abs((centres - COLOURS[natural].hue + 0.5) % 1 - 0.5)
    return float(centres[int(np.argmax(smooth * np.exp(-((distance / 0.16) ** 2))))])
