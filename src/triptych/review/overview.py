"""The overview: funnel, histograms, survival, acceptance and failures, every figure with what it counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from triptych.datasets.dataset import thresholds
from triptych.datasets.gallery.funnel import WORDING
from triptych.datasets.gallery.page import reason_in_words
from triptych.ledger.queries import costs, failures
from triptych.mining.select import KINDS
from triptych.records import Json
from triptych.review.index import Table
from triptych.review.live import LiveRun
from triptych.review.rows import STAGES

_BIN = 0.05
_EDGES: Final = np.round(np.arange(1, 5 + _BIN, _BIN), 2)
_DERIVED: Final = tuple(kind for kind in KINDS if kind != "forward")

_OWN_WORDING: Final = {
    "derived": ("Derived: inverses, composites, chains", "selected", "per selected"),
    "kept": ("Leave the run, after the backward filter", "selected", "per selected"),
}
# stage → roles that it cost, what to ask the grid
_FUNNEL: Final[dict[str, tuple[tuple[str, ...], dict[str, str]]]] = {
    "scenes": (("writer", "importer"), {"kind": "scene"}),
    "sources": (("painter",), {"kind": "source"}),
    "screened": (("screen",), {"kind": "source", "passed": "soft_filter"}),
    "attempts": (("editor",), {"kind": "forward"}),
    "soft_filter": (("soft_filter",), {"kind": "forward", "passed": "soft_filter"}),
    "low_level": (("checks",), {"kind": "forward", "passed": "low_level"}),
    "validator": (("validator",), {"kind": "forward", "passed": "validator"}),
    "selected": ((), {"kind": "forward", "passed": "selected"}),
    "derived": ((), {"kind": ",".join(_DERIVED)}),
    "kept": ((), {"stage": "kept"}),
}


def overview(run: LiveRun) -> dict[str, Json]:
    """Everything on the overview, as JSON."""
    table = run.table
    spent = costs(run.ledger)
    return {
        "funnel": _funnel(
            table, {role: (cost.calls, cost.seconds, cost.price) for role, cost in spent.items()}
        ),
        "cost": {
            role: {"calls": cost.calls, "seconds": round(cost.seconds, 3), "price": cost.price}
            for role, cost in spent.items()
        },
        "histograms": {axis: _histogram(table, axis) for axis in ("adherence", "aesthetics", "score")},
        "survival": _survival(table),
        "threshold": run.plan.recipe.rule.threshold.model_dump(),
        "rule": dict(thresholds(run.plan.recipe.rule)),
        "acceptance": {field: _acceptance(table, field) for field in ("category", "style")},
        "reasons": _reasons(table),
        "failed_calls": dict(failures(run.ledger)),
    }


def funnel_counts(table: Table) -> dict[str, int]:
    """Stage → count; the first eight are those of `status`."""
    kind = _Word(table, "kind")
    stage = table.columns["stage"]
    forward = kind("forward")
    counts = {
        "scenes": kind("scene"),
        "sources": kind("source"),
        "screened": kind("source") & (stage >= 1),
        "attempts": forward,
        **{name: forward & (stage >= STAGES.index(name)) for name in STAGES[1:5]},
        "derived": np.logical_or.reduce([kind(name) for name in _DERIVED]),
        "kept": stage == STAGES.index("kept"),
    }
    return {name: int(np.count_nonzero(mask)) for name, mask in counts.items()}


def _funnel(table: Table, spent: Mapping[str, tuple[int, float, float | None]]) -> list[Json]:
    counts = funnel_counts(table)
    steps: list[Json] = []
    for name, (roles, query) in _FUNNEL.items():
        words, before, reads = _OWN_WORDING.get(name) or WORDING[name]
        base = counts.get(before or "", 0)
        paid = [spent[role] for role in roles if role in spent]
        prices = [price for _, _, price in paid if price is not None]
        steps.append(
            {
                "stage": name,
                "words": words,
                "count": counts[name],
                "rate": round(counts[name] / base, 4) if base else None,
                "reads": reads,
                "seconds": round(sum(seconds for _, seconds, _ in paid), 1) if paid else None,
                "price": sum(prices) if prices else None,
                "query": dict[str, Json](query.items()),
            }
        )
    return steps


def _histogram(table: Table, axis: str) -> dict[str, Json]:
    values = table.columns[axis][_pairs(table)]
    counts, _ = np.histogram(values[np.isfinite(values)], bins=_EDGES)
    return {
        "edges": [float(edge) for edge in _EDGES],
        "counts": [int(count) for count in counts],
        "kinds": ",".join(KINDS),
    }


def _survival(table: Table) -> list[Json]:
    """[threshold, share of all validated attempts with both scores at or above it]."""
    forward = _Word(table, "kind")("forward")
    both = np.minimum(table.columns["adherence"], table.columns["aesthetics"])[forward]
    both = np.sort(both[np.isfinite(both)])
    if not len(both):
        return []
    left = len(both) - np.searchsorted(both, _EDGES - 1e-6)
    return [
        [float(edge), round(float(share), 4)] for edge, share in zip(_EDGES, left / len(both), strict=True)
    ]


def _acceptance(table: Table, field: str) -> list[Json]:
    """Attempts and those that passed every gate, by a field, the most attempts first."""
    forward = _Word(table, "kind")("forward")
    accepted = forward & (table.columns["stage"] >= STAGES.index("validator"))
    words = table.words[field]
    made = np.bincount(table.columns[field][forward], minlength=len(words))
    good = np.bincount(table.columns[field][accepted], minlength=len(words))
    rows = [(words[n], int(made[n]), int(good[n])) for n in range(len(words)) if made[n]]
    rows.sort(key=lambda row: (-row[1], row[0]))
    return [{"word": word, "made": many, "accepted": few} for word, many, few in rows]


def _reasons(table: Table) -> list[Json]:
    """Why rows came no further, by kind and reason, the commonest first."""
    told: list[tuple[int, str, str]] = []
    for kind in ("source", *KINDS):
        rows = _Word(table, "kind")(kind)
        words = table.words["reason"]
        counts = np.bincount(table.columns["reason"][rows], minlength=len(words))
        told.extend((int(counts[n]), kind, words[n]) for n in range(len(words)) if counts[n] and words[n])
    told.sort(key=lambda one: (-one[0], one[1], one[2]))
    return [
        {"count": count, "kind": kind, "reason": reason, "words": reason_words(reason)}
        for count, kind, reason in told
    ]


def reason_words(reason: str) -> str:
    """A reason as the page words it."""
    own = {
        "undecided": "Not decided yet",
        "not_the_best": "Accepted, but another attempt was better",
        "parent_dropped": "A triplet that it came from was dropped",
    }
    return own.get(reason) or reason_in_words(reason)


def _pairs(table: Table) -> NDArray[np.bool_]:
    is_kind = _Word(table, "kind")
    mask: NDArray[np.bool_] = np.logical_or.reduce([is_kind(kind) for kind in KINDS])
    return mask


class _Word:
    """Rows whose column holds a word."""

    def __init__(self, table: Table, field: str) -> None:
        self._column = table.columns[field]
        self._words = table.words[field]

    def __call__(self, word: str) -> NDArray[np.bool_]:
        if word not in self._words:
            return np.zeros(len(self._column), dtype=np.bool_)
        mask: NDArray[np.bool_] = self._column == self._words.index(word)
        return mask
