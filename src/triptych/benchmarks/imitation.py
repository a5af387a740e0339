"""How near mined instructions come to what real users ask for: told apart by what, and what is missing."""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from zlib import crc32

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]

MOST = 2000  # texts of each side that are compared; more are drawn from
FOLDS = 5
_DIMENSIONS = 1024
_RIDGE = 1.0
_NEAR = 0.45  # cosine over runs of letters: the same kind of wish, in other words
_FEWEST = 3  # requests that make a cluster worth naming
_SHOWN = 12
_COMMON, _RARE = 5, 2  # uses of a word that others are slips of; of a slip at most


@dataclass(frozen=True, slots=True)
class Cluster:
    """Requests of one kind that no mined instruction comes near."""

    requests: int
    share: float
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Imitation:
    """The comparison. Histograms are shares of the texts of either side."""

    mined: int
    requests: int
    auc: float | None  # of a classifier that tells them apart: 0.5 is perfect imitation; None: too few texts
    auc_by_fold: tuple[float, ...]
    words: Mapping[str, Mapping[str, float]]  # number of words → side → share
    first_words: Mapping[str, Mapping[str, float]]  # what the text begins with, mostly its verb
    slips: Mapping[str, Mapping[str, float]]  # misspelt words in a text
    uncovered: tuple[Cluster, ...]
    uncovered_share: float  # of all requests

    def told(self) -> dict[str, object]:
        """As plain JSON."""
        return asdict(self)


def compare(mined: Sequence[str], requests: Sequence[str], seed: int = 0) -> Imitation:
    """Compare instructions with requests. More than 2,000 of a side are sampled, by the seed."""
    mined, requests = _sampled(mined, seed), _sampled(requests, seed)
    sides = {"mined": mined, "requests": requests}
    folds = _auc_by_fold(mined, requests, seed)
    usual = _usual_words([*mined, *requests])
    uncovered = _uncovered(mined, requests)
    return Imitation(
        mined=len(mined),
        requests=len(requests),
        auc=float(np.mean(folds)) if folds else None,
        auc_by_fold=folds,
        words=_histogram({side: [_length_bin(text) for text in texts] for side, texts in sides.items()}),
        first_words=_histogram(
            {side: [_first_word(text) for text in texts] for side, texts in sides.items()}, _SHOWN
        ),
        slips=_histogram({side: [_slips(text, usual) for text in texts] for side, texts in sides.items()}),
        uncovered=tuple(
            Cluster(len(texts), len(texts) / len(requests), tuple(texts[:3])) for texts in uncovered
        ),
        uncovered_share=sum(map(len, uncovered)) / max(1, len(requests)),
    )


def _sampled(texts: Sequence[str], seed: int) -> list[str]:
    known = list(dict.fromkeys(text.strip() for text in texts if text.strip()))
    return known if len(known) <= MOST else random.Random(f"imitation {seed}").sample(known, MOST)


# ---- can they be told apart? -----------------------------------------------------------------------------


def _auc_by_fold(mined: Sequence[str], requests: Sequence[str], seed: int) -> tuple[float, ...]:
    """Of a ridge classifier over runs of letters, words and length, on texts that it wasn't fitted to."""
    fewest = min(len(mined), len(requests))
    if fewest < 2 * FOLDS:
        return ()
    features = _features([*mined, *requests])
    labels = np.array([1.0] * len(mined) + [-1.0] * len(requests))
    order = np.random.default_rng(seed).permutation(len(labels))
    found = []
    for fold in range(FOLDS):
        held = np.zeros(len(labels), bool)
        held[order[fold::FOLDS]] = True
        scores = _ridge_scores(features[~held], labels[~held], features[held])
        found.append(_auc(scores[labels[held] > 0], scores[labels[held] < 0]))
    return tuple(found)


def _ridge_scores(known: Matrix, labels: Matrix, asked: Matrix) -> Matrix:
    weights = np.where(labels > 0, 0.5 / (labels > 0).sum(), 0.5 / (labels < 0).sum()) * len(labels)
    mean = np.average(known, axis=0, weights=weights)
    centred, target = known - mean, labels - np.average(labels, weights=weights)
    weighted = centred * weights[:, None]
    fitted = np.linalg.solve(weighted.T @ centred + _RIDGE * np.eye(known.shape[1]), weighted.T @ target)
    return np.asarray((asked - mean) @ fitted)


def _auc(of_mined: Matrix, of_requests: Matrix) -> float:
    """Probability that a mined text scores above a request; ties count half."""
    if not len(of_mined) or not len(of_requests):
        return 0.5
    above = (of_mined[:, None] > of_requests[None, :]).mean()
    return float(above + (of_mined[:, None] == of_requests[None, :]).mean() / 2)


def _features(texts: Sequence[str]) -> Matrix:
    lengths = np.array([[math.log1p(len(text)) / 5, float(text[:1].isupper())] for text in texts])
    return np.hstack([_vectors(texts), lengths])


def _vectors(texts: Sequence[str]) -> Matrix:
    """Unit vectors that count words and runs of three letters."""
    rows = np.zeros((len(texts), _DIMENSIONS))
    for row, text in zip(rows, texts, strict=True):
        lower = text.lower()
        runs = [lower[start : start + 3] for start in range(max(1, len(lower) - 2))]
        for run in (*runs, *(f"word {word}" for word in _words(text))):
            row[crc32(run.encode()) % _DIMENSIONS] += 1
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1.0))


# ---- how do they differ? ---------------------------------------------------------------------------------


def _histogram(sides: Mapping[str, Sequence[str]], most: int | None = None) -> dict[str, dict[str, float]]:
    counts = {side: Counter(values) for side, values in sides.items()}
    shares = {
        side: {value: n / len(sides[side]) for value, n in count.items()} for side, count in counts.items()
    }
    values = sorted({value for share in shares.values() for value in share}, key=_natural)
    if most is not None:
        values = sorted(values, key=lambda value: -max(share.get(value, 0) for share in shares.values()))[
            :most
        ]
    return {
        value: {side: round(share.get(value, 0.0), 4) for side, share in shares.items()} for value in values
    }


def _natural(value: str) -> tuple[int, str]:
    number = re.match(r"\d+", value)
    return (int(number.group(0)) if number else -1, value)


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)?", text.lower())


def _length_bin(text: str) -> str:
    words = len(text.split())
    for low, high in ((1, 3), (4, 6), (7, 10), (11, 15), (16, 25)):
        if words <= high:
            return f"{low}–{high}"
    return "26 or more"


def _first_word(text: str) -> str:
    words = [
        word
        for word in _words(text)
        if word not in ("please", "pls", "can", "could", "you", "i", "want", "to")
    ]
    return words[0] if words else "none"


def _usual_words(texts: Sequence[str]) -> Counter[str]:
    return Counter(word for text in texts for word in _words(text))


def _slips(text: str, usual: Counter[str]) -> str:
    """How many rare words of a text are one letter away from a common one; a guess, for both sides alike."""
    found = sum(_is_slip(word, usual) for word in _words(text))
    return f"{found}" if found < 3 else "3 or more"


def _is_slip(word: str, usual: Counter[str]) -> bool:
    if len(word) < 3 or usual[word] > _RARE:
        return False
    return any(
        usual[near] >= _COMMON and near != word + "s" and word != near + "s"
        for near in _one_letter_away(word)
    )


def _one_letter_away(word: str) -> set[str]:
    letters = "abcdefghijklmnopqrstuvwxyz"
    parts = [(word[:at], word[at:]) for at in range(len(word) + 1)]
    near = {left + right[1:] for left, right in parts if right}
    near |= {left + right[1] + right[0] + right[2:] for left, right in parts if len(right) > 1}
    near |= {left + letter + right for left, right in parts for letter in letters}
    near |= {left + letter + right[1:] for left, right in parts if right for letter in letters}
    return near - {word}


# ---- what is missing? ------------------------------------------------------------------------------------


def _uncovered(mined: Sequence[str], requests: Sequence[str]) -> list[list[str]]:
    """Clusters of requests that no mined instruction is near to, the largest first.

    A cluster is a request and all that are near it and in no earlier one; those with most neighbours come
    first.
    """
    if not requests:
        return []
    vectors = _vectors(requests)
    near = vectors @ vectors.T >= _NEAR
    left = np.ones(len(requests), bool)
    covered = (vectors @ _vectors(mined).T).max(axis=1) >= _NEAR if mined else np.zeros(len(requests), bool)
    found = []
    for number in np.argsort(-near.sum(axis=1), kind="stable"):
        if not left[number]:
            continue
        members = np.flatnonzero(near[number] & left)
        left[members] = False
        if len(members) >= _FEWEST and covered[members].mean() < 0.5:
            found.append([requests[int(member)] for member in members])
    return sorted(found, key=len, reverse=True)[:_SHOWN]
