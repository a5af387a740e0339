"""What no good edit of its kind shows: flaws that the trees never met still stand out from the good ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from triptych.backends.studio.judge.change import Features
from triptych.backends.studio.judge.orders import LOCAL
from triptych.backends.studio.judge.reading import Order

WORST: Final = 3.0  # points that strangeness may cost


@dataclass(frozen=True, slots=True)
class Check:
    """A feature, the side on which it is strange (0: both), and how much of it a person just notices.

    Colours in ΔE (about 2.3 is just noticeable), detail in natural logarithms, displacement in thousandths
    of the side.
    """

    feature: str
    side: int
    noticeable: float


CHECKS: Final = (
    Check("out_raw", 1, 2.3),
    Check("raw_p10", 1, 2.3),
    Check("raw_p50", 1, 2.3),
    Check("net_p50", 1, 2.3),
    Check("drift_colour", 1, 4.6),
    Check("drift_lightness", 0, 2.3),
    Check("drift_cast", 1, 2.3),
    Check("out_patch", 1, 6.0),
    Check("out_wide", 1, 6.0),
    Check("detail_least", -1, 0.3),
    Check("detail_most", 1, 0.3),
    Check("detail_high", 1, 0.2),
    Check("detail_low", -1, 0.2),
    Check("detail_median", 0, 0.15),
    Check("energy_median", 0, 0.15),
    Check("displacement", 1, 1.5),
)


@dataclass(frozen=True, eq=False)
class Limits:
    """For each check, the most that good edits show, and how far beyond it costs a point."""

    ceiling: NDArray[np.float64]
    spread: NDArray[np.float64]

    def excess(self, features: Features) -> float:
        """Points that what is strange about a pair costs, 0..WORST."""
        beyond = (checked(features) - self.ceiling) / self.spread
        return float(np.clip(np.nanmax(np.nan_to_num(beyond, nan=0.0)), 0, WORST))


def group_of(orders: Sequence[Order]) -> str:
    """What is asked, roughly: edits of one group leave the same things alone."""
    operations = {order.operation for order in orders}
    if operations <= LOCAL:
        return "local"
    return next(iter(operations)) if len(operations) == 1 else "mixed"


def checked(features: Features) -> NDArray[np.float64]:
    """The checks' values, larger is stranger; NaN: unknown."""
    values = [features.get(check.feature, np.nan) for check in CHECKS]
    return np.array(
        [abs(v) if c.side == 0 else c.side * v for v, c in zip(values, CHECKS, strict=True)], np.float64
    )


def limits_from(rows: Sequence[Features]) -> Limits:
    """The limits that good edits of one group keep."""
    values = np.array([checked(row) for row in rows])
    ceiling, middle = np.nanpercentile(values, 99, axis=0), np.nanmedian(values, axis=0)
    noticeable = np.array([check.noticeable for check in CHECKS])
    return Limits(ceiling, np.maximum(ceiling - middle, noticeable))


def excess(limits: Mapping[str, Limits], features: Features, orders: Sequence[Order]) -> float:
    """Points that what is strange about a pair costs; 0 where its group has no limits."""
    own = limits.get(group_of(orders))
    return 0.0 if own is None else own.excess(features)
