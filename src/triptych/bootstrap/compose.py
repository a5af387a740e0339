"""Which two accepted edits of one source are joined (stage 10), where a recipe allows only some."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import permutations


def choose_pairs(categories: Sequence[str], most: int) -> list[tuple[int, int]]:
    """At most `most` ordered pairs (i, j), i ≠ j, of a source's accepted edits, spread over categories.

    One after the other, the pair is taken whose categories, then whose edits, were used least so far; of
    equals one of two categories before one of the same, then the first. A function of the categories alone.
    """
    candidates = list(permutations(range(len(categories)), 2))
    chosen: list[tuple[int, int]] = []
    by_category: Counter[str] = Counter()
    by_edit: Counter[int] = Counter()
    while candidates and len(chosen) < most:

        def used(pair: tuple[int, int]) -> tuple[int, int, bool, tuple[int, int]]:
            i, j = pair
            same = categories[i] == categories[j]
            return (
                by_category[categories[i]] + by_category[categories[j]],
                by_edit[i] + by_edit[j],
                same,
                pair,
            )

        best = min(candidates, key=used)
        candidates.remove(best)
        chosen.append(best)
        by_edit.update(best)
        by_category.update(categories[index] for index in best)
    return chosen
