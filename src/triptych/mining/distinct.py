"""Scenes that say nearly what an earlier one says, by their words: they would make like pictures."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise

NEAR = 0.6  # of two texts' pairs of neighbouring words, the share that both have
_FEWEST = 8  # pairs of words that a text must have to be compared: short ones are alike by chance


class DistinctScenes:
    """The texts of a run's scenes. Looking one up costs what its words have in common with others'."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._texts: list[str] = []
        self._sizes: list[int] = []
        self._with: dict[tuple[str, str], list[int]] = defaultdict(list)
        for text in texts:
            self.add(text)

    def add(self, text: str) -> None:
        """Remember a scene."""
        pairs = _pairs(text)
        for pair in pairs:
            self._with[pair].append(len(self._texts))
        self._texts.append(text)
        self._sizes.append(len(pairs))

    def near(self, text: str) -> str | None:
        """An earlier scene that says nearly the same; the very same text isn't looked for here."""
        pairs = _pairs(text)
        if len(pairs) < _FEWEST:
            return None
        shared = Counter(number for pair in pairs for number in self._with.get(pair, ()))
        for number, count in shared.most_common():
            if count < NEAR * len(pairs):
                return None
            if count >= NEAR * (len(pairs) + self._sizes[number] - count) and self._texts[number] != text:
                return self._texts[number]
        return None


def _pairs(text: str) -> set[tuple[str, str]]:
    words = re.findall(r"\w+", text.lower())
    return set(pairwise(words))
