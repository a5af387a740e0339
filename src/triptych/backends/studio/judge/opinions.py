"""What small classifiers make of a picture as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from triptych.backends.studio.canvas import Array


@dataclass(frozen=True, eq=False)
class Opinion:
    """`of`: class → probability, by head. `fine`: the descriptors of fine detail and flatness."""

    of: Mapping[str, Mapping[str, float]]
    fine: Array
