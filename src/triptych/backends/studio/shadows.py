"""What a thing does to the ground it stands on: shadows and reflections, painted before the thing itself."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from triptych.backends.studio.canvas import Array, blur, generator, over
from triptych.backends.studio.relief import padded_blur

FOOTING = 0.025  # the ground contact lies this share of the height above the picture's lower edge


@dataclass(frozen=True, slots=True)
class Place:
    """Where a picture lies in the frame: its top left pixel (may be outside) and its size."""

    left: int
    top: int
    width: int
    height: int

    @property
    def foot(self) -> int:
        """Row just below the picture."""
        return self.top + self.height


def paste(image: Array, colour: Array, alpha: Array, left: int, top: int) -> None:
    """Lay a colour (3,) or picture on the image in place at a pixel; what is outside the frame is cut off."""
    height, width = alpha.shape
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(image.shape[1], left + width), min(image.shape[0], top + height)
    if x1 <= x0 or y1 <= y0:
        return
    rows, columns = slice(y0 - top, y1 - top), slice(x0 - left, x1 - left)
    cut = colour if colour.ndim == 1 else colour[rows, columns]
    over(image[y0:y1, x0:x1], cut, alpha[rows, columns])


def cast_shadow(
    image: Array, alpha: Array, place: Place, colour: Array, strength: float, lean: float, length: float
) -> None:
    """The silhouette laid on the ground towards the viewer.

    `lean` = sideways shift at its far end, `length` = its depth, both as shares of the height.
    """
    height = place.height
    depth = max(3, round(height * length))
    shift = round(height * lean)
    pad = max(8, round(height * 0.10))
    left_room = pad + max(0, -shift)
    size = (place.width + abs(shift) + 2 * pad, depth + 2 * pad)
    # Output (x, y) samples the picture upside down: foot at the top, head at the far end, sheared sideways.
    slope = shift / depth
    matrix = np.array(
        [[1, -slope, slope * pad - left_room], [0, -height / depth, height - 1 + height / depth * pad]],
        np.float32,
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    flat = np.asarray(cv2.warpAffine(alpha, matrix, size, flags=flags), np.float32)
    near = blur(flat, 1 + height * 0.008)
    far = blur(flat, 2 + height * 0.035)
    fade = np.clip(1 - (np.arange(size[1], dtype=np.float32) - pad) / np.float32(depth), 0, 1)[:, None]
    shadow = (far + (near - far) * fade) * (np.float32(0.30) + np.float32(0.70) * fade)
    top = place.foot - pad - round(height * FOOTING)
    paste(image, colour, np.minimum(shadow * np.float32(strength), 0.85), place.left - left_room, top)


def contact_shadow(image: Array, alpha: Array, place: Place, colour: Array, strength: float) -> None:
    """The dark line where feet meet the ground, and the soft patch of sky that the body hides."""
    height = place.height
    soles = alpha[-max(2, round(height * 0.05)) :].max(axis=0)
    spread_px = max(1.5, height * 0.030)
    pad = round(4 * spread_px) + round(height * 0.06)
    profile = np.pad(soles, pad)[None, :]
    tight = np.asarray(cv2.GaussianBlur(profile, (0, 0), spread_px * 0.7, borderType=cv2.BORDER_CONSTANT))
    wide = np.asarray(cv2.GaussianBlur(profile, (0, 0), spread_px * 2.6, borderType=cv2.BORDER_CONSTANT))
    reach = round(height * 0.12) + 2
    y = np.arange(-reach, reach + 1, dtype=np.float32)[:, None] / np.float32(spread_px)
    patch = tight * np.exp(-((y / np.float32(0.8)) ** 2)) * np.float32(0.75)
    patch += wide * np.exp(-((y / np.float32(1.9)) ** 2)) * np.float32(0.45)
    top = place.foot - round(height * FOOTING * 0.6) - reach
    shadow = np.minimum(patch * np.float32(strength), 0.85).astype(np.float32, copy=False)
    paste(image, colour * np.float32(0.5), shadow, place.left - pad, top)


def ground_shadow(image: Array, place: Place, colour: Array, strength: float, x: float, y: float) -> None:
    """The soft spot below something in the air; x and y in px."""
    radius_x, radius_y = place.width * 0.36, max(3.0, place.width * 0.075)
    half_x, half_y = round(radius_x * 1.8), round(radius_y * 1.8)
    dx = np.arange(-half_x, half_x + 1, dtype=np.float32)[None, :] / np.float32(radius_x)
    dy = np.arange(-half_y, half_y + 1, dtype=np.float32)[:, None] / np.float32(radius_y)
    spot = np.maximum(0, 1 - (dx * dx + dy * dy) / np.float32(3.2)) ** 2
    paste(image, colour, spot * np.float32(strength), round(x) - half_x, round(y) - half_y)


def table_reflection(image: Array, colour: Array, alpha: Array, place: Place, share: float) -> None:
    """A soft mirror image on a polished surface."""
    depth = place.height // 2
    if depth < 4:
        return
    fade = np.linspace(1, 0, depth, dtype=np.float32)[:, None] ** 1.5
    pad = 12
    mirrored = alpha[::-1][:depth] * fade
    soft = padded_blur(np.pad(mirrored, pad), 1 + place.height * 0.008)
    tone = cv2.copyMakeBorder(
        np.ascontiguousarray(colour[::-1][:depth]), pad, pad, pad, pad, cv2.BORDER_REPLICATE
    )
    smooth = blur(np.asarray(tone, np.float32), 1 + place.height * 0.008)
    top = place.foot - pad - round(place.height * FOOTING)
    paste(image, smooth, soft * np.float32(share), place.left - pad, top)


def water_reflection(
    image: Array, colour: Array, alpha: Array, place: Place, share: float, seed: int, name: str
) -> None:
    """A mirror image that ripples tear into bands, and the dark line where the hull meets the water."""
    height, width = alpha.shape
    depth = max(4, round(height * 0.75))
    pad = max(4, round(width * 0.08))
    rng = generator(seed, "ripple", name)
    y = np.linspace(0, 1, depth, dtype=np.float32)[:, None]
    phase = rng.random(3, dtype=np.float32) * np.float32(2 * np.pi)
    waves = sum(
        np.sin(y ** np.float32(0.7) * np.float32(f) + phase[i]) * np.float32(a)
        for i, (f, a) in enumerate(((38.0, 0.5), (67.0, 0.3), (21.0, 0.4)))
    )
    sway = np.asarray(waves, np.float32) * (np.float32(0.2) + y) * np.float32(pad * 0.55)
    x = np.arange(width + 2 * pad, dtype=np.float32)[None, :] - pad
    map_x = np.ascontiguousarray(x + sway)
    map_y = np.ascontiguousarray(np.broadcast_to((1 - y) * np.float32(height - 1), map_x.shape))
    torn = np.asarray(cv2.remap(alpha, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT))
    tone = np.asarray(cv2.remap(colour, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
    bands = np.float32(0.8) + np.float32(0.2) * np.sin(y ** np.float32(0.7) * np.float32(90) + phase[0])
    fade = (1 - y) ** np.float32(1.1) * bands * np.float32(share)
    top = place.foot - round(height * FOOTING)
    paste(image, tone * np.float32(0.82), torn * fade, place.left - pad, top)
    line = np.exp(-((np.arange(-6, 7, dtype=np.float32)[:, None] / np.float32(2.2)) ** 2))
    hull = np.pad(alpha[-max(2, height // 14) :].max(axis=0), pad)[None, :]
    paste(image, np.zeros(3, np.float32), line * hull * np.float32(0.35), place.left - pad, place.foot - 8)
