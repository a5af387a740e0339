"""What is asked of the grid, as it stands in the page's address.

kind, category, style, size, stage, reason   values joined by commas: any of them
score, adherence, aesthetics, soft_adherence, soft_aesthetics, disagreement, margin
                                             low..high, either side may be empty
passed                                       a stage: this far or further
lane, scene                                  ids
q                                            words that must all be in the instruction or the prompt
sort                                         one of the fields above, with - for the highest first
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Final

from triptych.errors import UserError
from triptych.review.rows import STAGES

VALUES: Final = ("kind", "category", "style", "size", "stage", "reason")
NUMBERS: Final = (
    "score",
    "adherence",
    "aesthetics",
    "soft_adherence",
    "soft_aesthetics",
    "disagreement",
    "margin",
)
SORTS: Final = ("run", "mix", *NUMBERS, "near", "category")


@dataclass(frozen=True, slots=True)
class Filter:
    """Hashable, so that an answer can be kept."""

    values: tuple[tuple[str, frozenset[str]], ...] = ()
    ranges: tuple[tuple[str, float, float], ...] = ()
    passed: int = 0
    lane: str = ""
    scene: str = ""
    words: tuple[str, ...] = ()
    sort: str = "run"
    descending: bool = False


def parse_filter(query: Mapping[str, str]) -> Filter:
    """UserError, in one line, for what can't be asked."""
    # A word may hold a comma itself, as styles do: the whole is one of the values too.
    values = [
        (name, frozenset([query[name], *filter(None, query[name].split(","))]))
        for name in VALUES
        if query.get(name)
    ]
    ranges = [(name, *_range(name, query[name])) for name in NUMBERS if query.get(name)]
    passed = query.get("passed") or STAGES[0]
    if passed not in STAGES:
        raise UserError(f"passed={passed}: it is one of {', '.join(STAGES)}")
    sort = query.get("sort") or "run"
    name = sort.removeprefix("-")
    if name not in SORTS:
        raise UserError(f"sort={sort}: it is one of {', '.join(SORTS)}")
    return Filter(
        tuple(values),
        tuple(ranges),
        STAGES.index(passed),
        query.get("lane", ""),
        query.get("scene", ""),
        tuple(sorted(set(query.get("q", "").lower().split()))),
        name,
        sort.startswith("-"),
    )


def _range(name: str, text: str) -> tuple[float, float]:
    low, dots, high = text.partition("..")
    try:
        bounds = float(low or -inf), float(high or inf)
    except ValueError:
        bounds = None
    if bounds is None or not dots:
        raise UserError(f"{name}={text}: write it as low..high, e.g. 4.5..5")
    return bounds
