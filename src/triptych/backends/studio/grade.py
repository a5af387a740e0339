"""General colour corrections, for any picture."""

from __future__ import annotations

import numpy as np

from triptych.backends.studio.canvas import LUMA, Array, luminance, triple
from triptych.backends.studio.scene import Grade

BALANCE: dict[str, tuple[float, float, float]] = {"warmer": (1.11, 1.01, 0.82), "cooler": (0.86, 0.99, 1.14)}
SATURATION: dict[str, float] = {"vivid": 1.55, "muted": 0.45}
EXPOSURE: dict[str, float] = {"brighter": 0.72, "darker": 1.5}  # exponents


def grade(image: Array, kind: Grade) -> Array:
    """Correct the colours of an H x W x 3 picture in 0..1."""
    if kind in BALANCE:
        balance = np.array(BALANCE[kind], np.float32)
        result = image * (balance / np.float32(balance @ LUMA))
    elif kind in SATURATION:
        grey = triple(luminance(image))
        result = grey + (image - grey) * np.float32(SATURATION[kind])
    elif kind in EXPOSURE:
        result = _through_curve(
            image, np.linspace(0, 1, 4097, dtype=np.float32) ** np.float32(EXPOSURE[kind])
        )
    else:
        x = np.linspace(0, 1, 4097, dtype=np.float32)
        steep = 1 / (1 + np.exp(-8.0 * (x - 0.5)))
        result = _through_curve(image, ((steep - steep[0]) / (steep[-1] - steep[0])).astype(np.float32))
    return np.asarray(np.clip(result, 0, 1), np.float32)


def _through_curve(image: Array, curve: Array) -> Array:
    """A tone curve given at 4097 places: a look-up is far faster than a power for each pixel."""
    place = np.clip(image, 0, 1) * np.float32(curve.size - 1)
    return np.asarray(np.take(curve, np.rint(place).astype(np.int32)), np.float32)
