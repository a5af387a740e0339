"""The 26 picture sizes, from 640×1600 to 1600×640, about one megapixel each.

The NHR-Edit release is known to hold 26 sizes between these two; its list is not published. This one is ours:
the multi-aspect sizes that SDXL made common (multiples of 64, area nearest 1024²) between the same ends. They
are 27, mirrored about the square; 1344×704, which is nearly 1344×768, is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import log, sqrt

SIDE_STEP = 16  # every side is a multiple: what latent-diffusion editors ask for


@dataclass(frozen=True, slots=True, order=True)
class Size:
    """Width and height in pixels."""

    width: int
    height: int

    @property
    def aspect(self) -> float:
        """Width over height."""
        return self.width / self.height

    @property
    def megapixels(self) -> float:
        """Area in millions of pixels."""
        return self.width * self.height / 1e6

    def __str__(self) -> str:
        return f"{self.width}×{self.height}"


SIZES: tuple[Size, ...] = (
    Size(640, 1600),
    Size(640, 1536),
    Size(704, 1472),
    Size(704, 1408),
    Size(704, 1344),
    Size(768, 1344),
    Size(768, 1280),
    Size(832, 1216),
    Size(832, 1152),
    Size(896, 1152),
    Size(896, 1088),
    Size(960, 1088),
    Size(960, 1024),
    Size(1024, 1024),
    Size(1024, 960),
    Size(1088, 960),
    Size(1088, 896),
    Size(1152, 896),
    Size(1152, 832),
    Size(1216, 832),
    Size(1280, 768),
    Size(1344, 768),
    Size(1408, 704),
    Size(1472, 704),
    Size(1536, 640),
    Size(1600, 640),
)


@lru_cache(maxsize=4096)
def scaled(size: Size, megapixels: float) -> Size:
    """About `megapixels` large, nearly the same aspect ratio, sides multiples of 16; 1.0 gives `size` itself.

    At 0.25 all 26 are exact halves. Distinct sizes stay distinct down to 0.1.
    """
    if megapixels <= 0:
        raise ValueError(f"megapixels must be above 0, not {megapixels}")
    factor = sqrt(megapixels)
    width, height = size.width * factor, size.height * factor
    candidates = [Size(across, down) for across in _multiples_near(width) for down in _multiples_near(height)]

    def misfit(candidate: Size) -> float:
        area = log(candidate.width * candidate.height / (width * height))
        return abs(log(candidate.aspect / size.aspect)) + 0.1 * abs(area)

    return min(candidates, key=misfit)


def nearest(width: int, height: int, megapixels: float = 1.0) -> Size:
    """Of the 26 at `megapixels`, the one whose aspect ratio is nearest to width : height (as a quotient)."""
    if width <= 0 or height <= 0:
        raise ValueError(f"a picture has sides above 0, not {width}×{height}")
    asked = log(width / height)
    return scaled(min(SIZES, key=lambda size: abs(log(size.aspect) - asked)), megapixels)


def _multiples_near(side: float) -> list[int]:
    middle = round(side / SIDE_STEP)
    return [SIDE_STEP * steps for steps in range(max(1, middle - 1), middle + 2)]
