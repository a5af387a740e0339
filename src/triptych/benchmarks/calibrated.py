"""The calibrated judge on ImagenHub: every judge run a signal, calibrated on people by cross-validation.

`calibrated` predicts each image from a fit on other uids. `calibrated_unseen_editor` also leaves out every
image of the same editor. In both, signals, interactions and shrinkage are chosen on inner folds, grouped by
uid too, of what the fit may see.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from triptych.benchmarks.imagenhub import SCALES, Answer, RatedImage
from triptych.records import Json
from triptych.validator.agreement import FloatArray, mean_of_defined, spearman
from triptych.validator.calibrate import SignalColumn, SignalTable
from triptych.validator.fitting import Candidate, choose, fit_latent, grouped_folds, held_out_latents

CALIBRATED = "calibrated"
UNSEEN_EDITOR = "calibrated_unseen_editor"
BoolArray = NDArray[np.bool_]

# The families of judge runs among which the inner folds choose, by how their names begin.
_FAMILIES: Mapping[str, tuple[str, ...]] = {"gpt and gemini": ("gpt", "gemini"), "every judge": ("",)}
_SHRINKAGES = (0.05, 0.15, 0.5)
_OUTER, _OUTER_UNSEEN, _INNER = 10, 5, 4


@dataclass(frozen=True, slots=True)
class Predictions:
    """Scores [scales, images] of images that the fit didn't see, and what was chosen how often."""

    scores: FloatArray
    candidates: int
    fits: int
    chosen: Mapping[str, Mapping[str, int]]  # of each scale

    def told(self) -> dict[str, Json]:
        """What goes beside the figures."""
        chosen: dict[str, Json] = {scale: dict(counts) for scale, counts in self.chosen.items()}
        return {"configurations_tried": self.candidates, "outer_fits": self.fits, "chosen": chosen}


def calibrated_predictions(images: Sequence[RatedImage], *, seed: int = 0) -> dict[str, Predictions]:
    """Cross-validated predictions for one task; without `calibrated_unseen_editor` if it has one editor."""
    table = signal_table(images)
    candidates = _candidates(table)
    human = np.array([[np.mean(image.human(scale)) for scale in SCALES] for image in images])
    editors = np.array([image.editor for image in images])
    if not candidates or len(set(table.sources)) < _OUTER:
        return {}
    found = {CALIBRATED: _predict(table, human, editors, candidates, list(_by_uid(table, seed)), seed)}
    if len(set(editors)) > 1:
        splits = list(_by_uid_and_editor(table, editors, seed))
        found[UNSEEN_EDITOR] = _predict(table, human, editors, candidates, splits, seed)
    return found


def signal_table(images: Sequence[RatedImage]) -> SignalTable:
    """Signals of images: of each judge run and scale both sub-scores and the lowest, and the measurements.

    The lowest ones of all runs form a consensus for each scale; measurements are the context.
    """
    columns: list[SignalColumn] = []
    values: list[list[float]] = []
    for judge in sorted({name for image in images for name in image.judges}):
        answers = [image.judges.get(judge, Answer((), ())) for image in images]
        for scale, said in (("SC", [a.sc for a in answers]), ("PQ", [a.pq for a in answers])):
            name = f"{judge}.{scale}"
            columns.append(SignalColumn(name, 1, judge, group=scale))
            values.append([min(subs) if subs else np.nan for subs in said])
            for place in (0, 1):
                columns.append(SignalColumn(f"{name}.{place + 1}", 1, judge))
                values.append([subs[place] if len(subs) == 2 else np.nan for subs in said])
    for name in sorted({name for image in images for name in image.measurements}):
        columns.append(SignalColumn(name, 0, name, context=True))
        values.append([image.measurements.get(name, np.nan) for image in images])
    items = tuple(f"{image.editor}/{image.uid}" for image in images)
    table = SignalTable(items, tuple(columns), np.array(values).T, tuple(image.uid for image in images))
    return table.named([c.name for c, said in zip(columns, values, strict=True) if not np.isnan(said).all()])


def _candidates(table: SignalTable) -> dict[str, Candidate]:
    """Configurations by name."""
    candidates = {}
    for family, beginnings in _FAMILIES.items():
        names = tuple(c.name for c in table.columns if c.context or c.name.startswith(beginnings))
        if any(not column.context for column in table.named(names).columns):
            for interactions, shrinkage in product((False, True), _SHRINKAGES):
                told = f"{family}, interactions {'on' if interactions else 'off'}, shrinkage {shrinkage:g}"
                candidates[told] = Candidate(names, interactions, shrinkage)
    return candidates


def _by_uid(table: SignalTable, seed: int) -> Iterator[tuple[BoolArray, BoolArray]]:
    fold = grouped_folds(table.sources, _OUTER, seed)
    for number in range(_OUTER):
        yield fold != number, fold == number


def _by_uid_and_editor(
    table: SignalTable, editors: NDArray[np.str_], seed: int
) -> Iterator[tuple[BoolArray, BoolArray]]:
    fold = grouped_folds(table.sources, _OUTER_UNSEEN, seed)
    for editor in np.unique(editors):
        for number in range(_OUTER_UNSEEN):
            out = (editors == editor) & (fold == number)
            if out.any():
                yield (editors != editor) & (fold != number), out


def _predict(
    table: SignalTable,
    human: FloatArray,
    editors: NDArray[np.str_],
    candidates: Mapping[str, Candidate],
    splits: Sequence[tuple[BoolArray, BoolArray]],
    seed: int,
) -> Predictions:
    scores = np.full((len(SCALES), len(table.items)), np.nan)
    chosen: dict[str, Counter[str]] = {scale: Counter() for scale in SCALES}
    for number, (seen, out) in enumerate(splits):
        inside, target, editor = table.rows(seen), human[seen], editors[seen]
        fold = grouped_folds(inside.sources, _INNER, seed + 1 + number)
        latents = held_out_latents(inside, target, list(candidates.values()), fold)
        for at, scale in enumerate(SCALES):
            name = list(candidates)[choose(latents[:, :, at], _WithinEditors(editor, target[:, at]))]
            best = candidates[name]
            model = fit_latent(inside, target[:, at], best)
            scores[at, out] = model.latent(table.rows(out).named(best.signals).values)
            chosen[scale][name] += 1
    return Predictions(scores, len(candidates), len(splits), chosen)


@dataclass(frozen=True, slots=True)
class _WithinEditors:
    """Mean over editors of Spearman: what the estimator will measure."""

    editors: NDArray[np.str_]
    target: FloatArray

    def __call__(self, predicted: FloatArray) -> float:
        members = [self.editors == editor for editor in np.unique(self.editors)]
        return float(mean_of_defined(np.array([spearman(predicted[m], self.target[m]) for m in members])))
