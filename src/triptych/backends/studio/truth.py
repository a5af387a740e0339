"""What is true of a picture and of an attempt: what no judge may see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from triptych.backends.studio.scene import Setting

GOOD: Final = 4.0  # "really good": both scores above it

# Nothing that judges is trained, tuned or templated on these.
UNSEEN_FLAWS: Final[frozenset[str]] = frozenset({"blotch", "shift", "partial", "drift"})
UNSEEN_SETTINGS: Final[frozenset[Setting]] = frozenset({"desert", "underwater"})

Flaws = tuple[tuple[str, float], ...]  # (kind, strength 0..1 as measured on pixels)


@dataclass(frozen=True, slots=True)
class Truth:
    """How good an attempt is, 1..5 on both axes, and what is wrong with it, worst first."""

    adherence: float
    aesthetics: float
    flaws: Flaws = ()

    @property
    def good(self) -> bool:
        """Really good: above 4.0 on both axes."""
        return self.adherence > GOOD and self.aesthetics > GOOD


@dataclass(frozen=True, slots=True)
class SourceTruth:
    """Whether a source shows its prompt and looks right, and what is wrong with it."""

    shows_prompt: bool
    looks_right: bool
    flaws: Flaws = ()

    @property
    def good(self) -> bool:
        """Fit to be edited."""
        return self.shows_prompt and self.looks_right


@dataclass(frozen=True, slots=True)
class Loss:
    """What a flaw costs at full strength, in points of the two axes."""

    adherence: float
    aesthetics: float


LOSSES: Final[Mapping[str, Loss]] = MappingProxyType(
    {
        "trivial": Loss(4.0, 0.0),  # nothing to do: the target was never painted, or the change can't be seen
        "ignored": Loss(4.0, 0.0),
        "wrong_object": Loss(3.6, 0.2),
        "wrong_attribute": Loss(2.8, 0.1),
        "partial": Loss(3.2, 0.5),
        "half": Loss(2.8, 0.0),
        "ghost": Loss(3.0, 1.8),
        "lost": Loss(2.6, 0.0),
        "moved": Loss(2.0, 0.1),
        "collateral": Loss(2.6, 0.1),
        "over_edit": Loss(2.6, 0.8),
        "drift": Loss(2.0, 1.4),
        "shift": Loss(2.0, 0.5),
        "zoom": Loss(2.0, 0.5),
        "blur": Loss(1.2, 3.0),
        "blotch": Loss(1.2, 3.0),
    }
)

# What spoils derived pairs and edits of edited pictures. "source_…": pixel damage that only the first picture
# bears; it is gone from the second, unasked.
PIXEL_FLAWS: Final = ("partial", "ghost", "over_edit", "drift", "shift", "zoom", "blur", "blotch")
DERIVED_LOSSES: Final[Mapping[str, Loss]] = MappingProxyType(
    {f"source_{kind}": Loss(LOSSES[kind].adherence, 0.0) for kind in PIXEL_FLAWS}
    | {  # a painter's mishaps with a thing that a derived edit puts in
        "floating": Loss(0.8, 2.2),
        "overlap": Loss(0.8, 1.8),
        "wrong_size": Loss(1.6, 1.4),
    }
)
_EVERY_LOSS: Final = {**LOSSES, **DERIVED_LOSSES}

BEST_ADHERENCE: Final = 4.92
BEST_AESTHETICS: Final = 4.85


def truth_from(flaws: Flaws, doubt: tuple[float, float] = (0.0, 0.0)) -> Truth:
    """Both scores from the measured flaws: the worst counts in full, the others for less.

    `doubt` is taken from each score: small matters of taste that no flaw stands for.
    """
    adherence, aesthetics = BEST_ADHERENCE - doubt[0], BEST_AESTHETICS - doubt[1]
    costs = [(_EVERY_LOSS[kind], _felt(strength)) for kind, strength in flaws]
    losses = [(loss.adherence * felt, loss.aesthetics * felt) for loss, felt in costs]
    worst_first = sorted(flaws, key=lambda flaw: -_weight(*flaw))
    for order, loss in enumerate(sorted((loss[0] for loss in losses), reverse=True)):
        adherence -= loss * (1.0 if order == 0 else 0.6)
    for order, loss in enumerate(sorted((loss[1] for loss in losses), reverse=True)):
        aesthetics -= loss * (1.0 if order == 0 else 0.8)
    return Truth(
        round(min(5.0, max(1.0, adherence)), 3), round(min(5.0, max(1.0, aesthetics)), 3), tuple(worst_first)
    )


def _felt(strength: float) -> float:
    """A barely visible flaw is forgiven, a plain one isn't: share of the full loss, 0..1."""
    return 0.45 * min(1.0, max(0.0, strength - 0.04) / 0.36) + 0.55 * strength


def _weight(kind: str, strength: float) -> float:
    return (_EVERY_LOSS[kind].adherence + _EVERY_LOSS[kind].aesthetics) * _felt(strength)
