"""What small classifiers make of a picture as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, eq=False)
class Opinion:
    """Class → probability, by head."""

    of: Mapping[str, Mapping[str, float]]
