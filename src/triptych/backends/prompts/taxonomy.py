"""Categories, styles, viewpoints and registers: what a brief is filled up with, spread evenly by its seed."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from triptych.backends.prompts.wording import lines
from triptych.brief import draw_categories
from triptych.roles import Guide

_PLAIN_SHARE = 5  # of so many scenes one names no style


@dataclass(frozen=True, slots=True)
class Category:
    """What an instruction may ask for, as a writer is told."""

    name: str
    asks: str
    say: str = ""
    example: str = ""
    needs: str = ""  # what a scene has to have for it
    weight: float = 1.0

    def told(self) -> str:
        """In a line."""
        parts = [f"{self.name}: {self.asks}"]
        if self.say:
            parts.append(self.say)
        if self.example:
            parts.append(f'e.g. "{self.example}"')
        if self.needs:
            parts.append(f"the scene has {self.needs}")
        return "; ".join(parts)


@cache
def shipped() -> Mapping[str, Category]:
    """The 27 operations of the method, composites, and words in pictures."""
    text = Path(__file__).with_name("categories.toml").read_text(encoding="utf-8")
    return {name: Category(name, **values) for name, values in tomllib.loads(text).items()}


def taxonomy(guide: Guide) -> Mapping[str, Category]:
    """The user's own categories where the guide has any, else those that ship."""
    own = {name: Category(name, what) for name, what in guide.taxonomy}
    return own or shipped()


def categories_for(
    known: Mapping[str, Category], wanted: Sequence[str], count: int, objects: int, seed: int
) -> tuple[str, ...]:
    """So many categories for a scene: those wanted, in order; else drawn by weight."""
    if wanted:
        return tuple(wanted[number % len(wanted)] for number in range(count))
    return draw_categories({name: category.weight for name, category in known.items()}, count, objects, seed)


def style_for(seed: int) -> str | None:
    """One of the 96 styles; for a fifth of the seeds none."""
    if (seed // _PLAIN_SHARE) % _PLAIN_SHARE == 0:  # objects go by seed in fives: the two stay apart
        return None
    return _spread("styles", seed)


def viewpoint_for(seed: int) -> str:
    """Where a scene is seen from."""
    return _spread("viewpoints", seed)


def register_for(seed: int, number: int) -> str:
    """How the number-th instruction of a scene is worded."""
    return _spread("registers", seed * 7 + number)


def _spread(name: str, seed: int) -> str:
    """Line of a shuffled list: each line comes once before any comes again."""
    known = list(lines(name))
    random.Random(f"{name} {seed // len(known)}").shuffle(known)
    return known[seed % len(known)]
