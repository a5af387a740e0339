"""How a run's gates fare against known truth, where there is one (the embedded studio)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from triptych.ledger.images import ImageStore
from triptych.mining.derive import chains, derive, stacks
from triptych.mining.select import KINDS, RunView, TripletKind
from triptych.mining.slots import Slot
from triptych.mining.state import (
    AttemptState,
    Lane,
    PairState,
    Plan,
    SceneState,
    SourceState,
)
from triptych.validator.rule import Accepted, Gate, Rejected

_GATES: tuple[Gate, ...] = ("soft_filter", "low_level", "validator")
_Z95 = 1.959964
_FOLDS = 5
_Columns = npt.NDArray[np.float64]


class KnownTruth(Protocol):
    """What is true of an attempt."""

    @property
    def adherence(self) -> float:
        """1..5."""

    @property
    def aesthetics(self) -> float:
        """1..5."""

    @property
    def good(self) -> bool:
        """Really good on both axes."""

    @property
    def flaws(self) -> Sequence[tuple[str, float]]:
        """Kind and strength 0..1, worst first."""


class World(Protocol):
    """Who knows the truth, by image hashes."""

    def truth_of(self, source: str, instruction: str, edited: str) -> KnownTruth | None:
        """Truth of an attempt."""

    def source_good(self, image: str) -> bool | None:
        """Whether a source shows its prompt and looks right."""


@dataclass(frozen=True, slots=True)
class MeasuredDerived:
    """A pair that is no attempt at a source, with its truth beside what became of it."""

    kind: TripletKind
    category: str
    state: PairState
    truth: KnownTruth
    kept: bool


@dataclass(frozen=True, slots=True)
class MeasuredPair:
    """An attempt with its truth beside what the gates said."""

    scene: SceneState
    source: SourceState
    lane: Lane
    state: AttemptState
    truth: KnownTruth
    selected: bool
    accepted: bool
    stopped_at: Gate | None


@dataclass(frozen=True, slots=True)
class Measured:
    """A run, measured."""

    pairs: list[MeasuredPair]
    derived: list[MeasuredDerived]
    sources: list[tuple[bool, bool]]  # (passed the screen, truly good)
    dropped: frozenset[str]  # attempts that the backward filter took out

    def kinds(self) -> dict[str, dict[str, Any]]:
        """Precision of what leaves the run, by kind; None where nothing of a kind does."""
        good: dict[TripletKind, list[bool]] = {kind: [] for kind in KINDS}
        for pair in self.pairs:
            if pair.selected and not self._is_dropped(pair):
                good["forward"].append(pair.truth.good)
        for derived in self.derived:
            if derived.kept:
                good[derived.kind].append(derived.truth.good)
        return {
            kind: {
                "precision": _share(sum(truths), len(truths)),
                "precision_interval": wilson(sum(truths), len(truths)),
            }
            for kind, truths in good.items()
        }

    def backward(self) -> dict[str, Any]:
        """What the backward filter took out, and what of it was rightly taken.

        A trivial success: nothing was there to edit (its object was never painted), and it was selected.
        """
        selected = [pair for pair in self.pairs if pair.selected]
        dropped = [pair for pair in selected if self._is_dropped(pair)]
        good, good_lost = (sum(pair.truth.good for pair in pairs) for pairs in (selected, dropped))
        kept = len(selected) - len(dropped)
        return {
            "trivial_successes": sum(_trivial(pair.truth) for pair in selected),
            "trivial_successes_caught": sum(_trivial(pair.truth) for pair in dropped),
            "bad": len(selected) - good,
            "bad_caught": len(dropped) - good_lost,
            "good": good,
            "good_lost": good_lost,
            "precision_before": _share(good, len(selected)),
            "precision_before_interval": wilson(good, len(selected)),
            "precision_after": _share(good - good_lost, kept),
            "precision_after_interval": wilson(good - good_lost, kept),
        }

    def _is_dropped(self, pair: MeasuredPair) -> bool:
        return pair.state.attempt is not None and pair.state.attempt.id in self.dropped


def _trivial(truth: KnownTruth) -> bool:
    return any(kind == "trivial" for kind, _ in truth.flaws)


def measure(plan: Plan, slots: Iterable[Slot], view: RunView, world: World) -> Measured:
    """Join decisions with truth. Pairs and sources of which nothing is known are left out."""
    selected = {triplet.attempt.id for triplet in view.selected}
    leaving = {triplet.id for triplet in view.triplets}
    measured = Measured([], [], [], frozenset(triplet.attempt.id for triplet in view.dropped))
    for slot in slots:
        if slot.state is None:
            continue
        for source in slot.state.sources:
            decision = source.decision(plan, slot.state.scene)
            good = world.source_good(source.source.image) if source.source else None
            if good is not None and isinstance(decision, Accepted | Rejected):
                measured.sources.append((isinstance(decision, Accepted), good))
        for source, lane in slot.state.lanes(plan):
            measured.pairs.extend(_pairs(plan, slot.state, source, lane, selected, world))
        for source in slot.state.passed(plan):
            for kind, category, state in _derived(plan, slot.state, source):
                pair = state.pair
                if pair is None or not state.settled(plan):
                    continue
                truth = world.truth_of(pair.source_image, pair.instruction, pair.edited_image)
                if truth is not None:
                    measured.derived.append(MeasuredDerived(kind, category, state, truth, pair.id in leaving))
    return measured


def _derived(
    plan: Plan, scene: SceneState, source: SourceState
) -> Iterator[tuple[TripletKind, str, PairState]]:
    """Kind, category and state of every pair that is no attempt at the source."""
    parts = plan, scene, source
    for derived in (*derive(*parts, closing=True), *stacks(*parts, closing=True)):
        yield derived.kind, derived.edits[0].category if derived.kind == "inverse" else "composite", derived
    for chain in chains(*parts, closing=True):
        for attempt in chain.lane.attempts:
            yield "chain", chain.edits[1].category, attempt


def _pairs(
    plan: Plan, scene: SceneState, source: SourceState, lane: Lane, selected: Collection[str], world: World
) -> Iterator[MeasuredPair]:
    for state in lane.attempts:
        decision = state.decision(plan)
        if state.attempt is None or source.source is None or not isinstance(decision, Accepted | Rejected):
            continue
        truth = world.truth_of(source.source.image, lane.edit.instruction, state.attempt.image)
        if truth is not None:
            accepted = isinstance(decision, Accepted)
            stopped_at = decision.gate if isinstance(decision, Rejected) else None
            chosen = state.attempt.id in selected
            yield MeasuredPair(scene, source, lane, state, truth, chosen, accepted, stopped_at)


def truth_report(measured: Measured, images: ImageStore) -> dict[str, Any]:
    """Precision, recall and count of every gate, of all gates together and of the selection.

    A gate is measured on what reaches it: precision is the good share of what it passes, recall the share of
    the good ones that it passes. The selection's recall is over (source, instruction) with at least one good
    attempt. Intervals are Wilson's, at 95 %.
    """
    report: dict[str, Any] = {"screen": _rates(measured.sources)}
    reaching = measured.pairs
    for gate in _GATES:
        passing = [pair for pair in reaching if pair.stopped_at != gate]
        report[gate] = _rates([(pair.stopped_at != gate, pair.truth.good) for pair in reaching])
        reaching = passing
    report["all_gates"] = _rates([(pair.accepted, pair.truth.good) for pair in measured.pairs])
    report["base_rate"] = _share(sum(pair.truth.good for pair in measured.pairs), len(measured.pairs))
    report["selected"] = _selected(measured.pairs)
    report["by_flaw"] = _by_flaw(measured.pairs)
    report["three_statistics_auc"] = three_statistics_auc(measured.pairs, images)
    return report


def rows(plan: Plan, measured: Measured) -> Iterator[dict[str, Any]]:
    """One record for every Pair: its verdicts beside its truth."""
    for pair in measured.pairs:
        yield _row(plan, pair.state, "forward", pair.lane.edit.category, pair.truth, selected=pair.selected)
    for derived in measured.derived:
        parts = derived.state, derived.kind, derived.category, derived.truth
        yield _row(plan, *parts, selected=derived.kept)


def _row(
    plan: Plan, state: PairState, kind: str, category: str, truth: KnownTruth, *, selected: bool
) -> dict[str, Any]:
    assert state.pair is not None  # noqa: S101  (measured pairs are whole)
    roles = {plan.spec_id(role): role for role in ("soft_filter", "validator")}
    verdicts: dict[str, dict[str, float | None]] = defaultdict(dict)
    for (spec, question), verdict in state.verdicts.items():
        if spec in roles:
            verdicts[roles[spec]][question] = verdict.value
    return {
        "id": state.pair.id,
        "kind": kind,
        "category": category,
        "verdicts": verdicts,
        "selected": selected,
        "true_adherence": truth.adherence,
        "true_aesthetics": truth.aesthetics,
        "flaws": [[flaw, strength] for flaw, strength in truth.flaws],
    }


def _rates(decided: Collection[tuple[bool, bool]]) -> dict[str, Any]:
    """From (passed, good): precision, recall, both with intervals."""
    passed = sum(passed for passed, _ in decided)
    good = sum(good for _, good in decided)
    both = sum(passed and good for passed, good in decided)
    return {
        "precision": _share(both, passed),
        "precision_interval": wilson(both, passed),
        "recall": _share(both, good),
        "passed": passed,
        "n": len(decided),
    }


def _selected(pairs: Sequence[MeasuredPair]) -> dict[str, Any]:
    chosen = [pair for pair in pairs if pair.selected]
    good = sum(pair.truth.good for pair in chosen)
    could: set[tuple[str, str]] = set()
    for pair in pairs:
        if pair.truth.good:
            could.add((pair.source.id, pair.lane.edit.id))
    return {
        "precision": _share(good, len(chosen)),
        "precision_interval": wilson(good, len(chosen)),
        "recall": _share(good, len(could)),
        "n": len(chosen),
    }


def _by_flaw(pairs: Sequence[MeasuredPair]) -> dict[str, Any]:
    """By the worst flaw of attempts that aren't good: how many there were, were accepted, were selected."""
    counts: dict[str, dict[str, int]] = defaultdict(lambda: {"n": 0, "accepted": 0, "selected": 0})
    for pair in pairs:
        if not pair.truth.good:
            count = counts[pair.truth.flaws[0][0] if pair.truth.flaws else "taste"]
            count["n"] += 1
            count["accepted"] += pair.accepted
            count["selected"] += pair.selected
    return {
        flaw: {**count, "accepted_share": _share(count["accepted"], count["n"])}
        for flaw, count in sorted(counts.items(), key=lambda item: (-item[1]["accepted"], item[0]))
    }


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def wilson(part: int, whole: int) -> list[float] | None:
    """Wilson's 95 % interval of a share; None of nothing."""
    if not whole:
        return None
    share, z = part / whole, _Z95
    centre = share + z * z / (2 * whole)
    spread = z * sqrt(share * (1 - share) / whole + z * z / (4 * whole * whole))
    scale = 1 + z * z / whole
    return [round(max(0.0, (centre - spread) / scale), 4), round(min(1.0, (centre + spread) / scale), 4)]


# ---- a judge that must be bad -----------------------------------------------------------------------------


def three_statistics_auc(pairs: Sequence[MeasuredPair], images: ImageStore) -> float | None:
    """AUC for "really good" of a cross-validated judge of three global pixel statistics.

    Mean absolute difference, change of mean brightness, change of fine detail, and their squares. Were it
    high, the flaws would be too glaring to measure anything by. None with fewer than 20 good or bad pairs.
    """
    good = np.array([pair.truth.good for pair in pairs], dtype=bool)
    if min(good.sum(), (~good).sum()) < 20:
        return None
    dropped = images.dropped()
    if any(pair.state.attempt is not None and pair.state.attempt.image in dropped for pair in pairs):
        return None  # what is left of the pictures would be no fair sample
    statistics = np.array([_statistics(pair, images) for pair in pairs])
    scaled = (statistics - statistics.mean(0)) / (statistics.std(0) + 1e-9)
    columns = np.column_stack([np.ones(len(pairs)), scaled, scaled**2])
    scenes = {id_: number for number, id_ in enumerate(sorted({pair.scene.scene.id for pair in pairs}))}
    fold = np.array([scenes[pair.scene.scene.id] % _FOLDS for pair in pairs])
    scores = np.zeros(len(pairs))
    for held_out in range(_FOLDS):
        inside = fold != held_out
        scores[~inside] = columns[~inside] @ _logistic(columns[inside], good[inside])
    return round(_auc(scores, good), 4)


def _statistics(pair: MeasuredPair, images: ImageStore) -> tuple[float, float, float]:
    assert pair.source.source is not None  # noqa: S101  (measured pairs have pictures)
    assert pair.state.attempt is not None  # noqa: S101
    source, edited = (
        _half_size_grey(images.get(image)) for image in (pair.source.source.image, pair.state.attempt.image)
    )
    detail = [float(np.abs(cv2.Laplacian(picture, cv2.CV_32F)).mean()) for picture in (source, edited)]
    difference = float(cv2.absdiff(source, edited).mean())
    brightness = float(edited.mean()) - float(source.mean())
    return np.log1p(difference), brightness, float(np.log((detail[1] + 0.1) / (detail[0] + 0.1)))


def _half_size_grey(data: bytes) -> npt.NDArray[np.uint8]:
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_REDUCED_GRAYSCALE_2)
    assert decoded is not None  # noqa: S101  (stored pictures were decoded once before)
    return decoded.astype(np.uint8, copy=False)


def _logistic(columns: _Columns, good: npt.NDArray[np.bool_]) -> _Columns:
    """Ridge-regularised logistic regression by Newton's method."""
    weights = np.zeros(columns.shape[1])
    ridge = 1e-2 * np.eye(columns.shape[1])
    for _ in range(25):
        chance = 1 / (1 + np.exp(-np.clip(columns @ weights, -30, 30)))
        slope = columns.T @ (good - chance) - ridge @ weights
        curve = (columns * (chance * (1 - chance))[:, None]).T @ columns + ridge
        weights = weights + np.linalg.solve(curve, slope)
    return weights


def _auc(scores: _Columns, good: npt.NDArray[np.bool_]) -> float:
    """Chance that a good one scores above a bad one; ties count half."""
    order = np.argsort(scores, kind="stable")
    ranks = np.empty(len(scores))
    ranks[order] = np.arange(1, len(scores) + 1)
    values, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.bincount(inverse, ranks, len(values)) / counts)[inverse]
    n_good = int(good.sum())
    return float((ranks[good].sum() - n_good * (n_good + 1) / 2) / (n_good * (len(good) - n_good)))
