"""Agreement with people, by the estimator of VIEScore's published tables, copied exactly.

For a judge: Spearman between its scores and the mean human score over the images of each editor, their mean
over the editors, then tanh. (That is the way back from Fisher's z without the way there: correlations come
out lower than they are.) For people: Spearman of each rater with the mean of the other two, mean over raters,
tanh, for each editor; then mean over editors and tanh once more, so people's figures shrink twice. Editors
that no judge was run on are left out. An image counts for a judge where it answered both scales.

Where a correlation is undefined (a constant side), that editor says nothing. Intervals are 95 % percentile
bootstraps over uids: all images of a source are drawn together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from triptych.benchmarks.calibrated import calibrated_predictions
from triptych.benchmarks.imagenhub import SCALES, RatedImage, Scale
from triptych.records import Json
from triptych.validator.agreement import FloatArray, bootstrap_counts, interval, mean_of_defined, spearman

HUMAN = "human"
_FEWEST = 3  # images of an editor for a rank correlation to say anything


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of one judge on one task: SC, PQ and O. NaN where it is undefined."""

    value: tuple[float, ...]
    ci: tuple[tuple[float, float], ...]
    n: int  # images with an answer
    plain: tuple[float, ...]  # mean Spearman, without the published estimator's tanh
    resampled: FloatArray = field(
        repr=False, compare=False
    )  # [scales, resamples], the same draws for all judges
    details: Mapping[str, Json] = field(default_factory=dict)

    def above(self, other: Agreement) -> tuple[tuple[float, float, float], ...]:
        """For each scale how far above another judge of the same task, with the paired interval."""
        return tuple(
            (value - theirs, *interval(drawn - drawn_theirs))
            for value, theirs, drawn, drawn_theirs in zip(
                self.value, other.value, self.resampled, other.resampled, strict=True
            )
        )

    def as_json(self) -> dict[str, Json]:
        """As `triptych bench agreement --json` prints it."""
        value: list[Json] = [_rounded(v) for v in self.value]
        ci: list[Json] = [[_rounded(low), _rounded(high)] for low, high in self.ci]
        return {"value": value, "ci": ci, "n": self.n, **self.details}


def _rounded(value: float) -> float | None:
    return round(value, 6) if np.isfinite(value) else None


def agreement(
    images: Sequence[RatedImage], *, resamples: int = 1000, seed: int = 0, calibrate: bool = True
) -> dict[str, dict[str, Agreement]]:
    """Task → judge → agreement; judges as in the file, `human`, and the calibrated ones."""
    tasks: dict[str, list[RatedImage]] = {}
    for image in images:
        tasks.setdefault(image.task, []).append(image)
    return {task: _task_agreement(members, resamples, seed, calibrate) for task, members in tasks.items()}


def _task_agreement(
    images: Sequence[RatedImage], resamples: int, seed: int, calibrate: bool
) -> dict[str, Agreement]:
    judged = {image.editor for image in images if any(a.sc or a.pq for a in image.judges.values())}
    task = _Task.of([image for image in images if image.editor in judged], resamples, seed)
    found = {HUMAN: task.between_people()}
    for judge in sorted({name for image in task.images for name in image.judges}):
        found[judge] = task.of_scores(task.judge_scores(judge))
    if calibrate:
        for name, predictions in calibrated_predictions(task.images, seed=seed).items():
            found[name] = task.of_scores(predictions.scores, predictions.told())
    return found


@dataclass(frozen=True, slots=True)
class _Task:
    images: Sequence[RatedImage]
    editors: Mapping[str, NDArray[np.intp]]  # of each editor, its images
    uid_at: NDArray[np.intp]  # of each image, its uid's place in a resample
    counts: FloatArray  # [1 + resamples, uids]: everything once, then each resample

    @classmethod
    def of(cls, images: Sequence[RatedImage], resamples: int, seed: int) -> _Task:
        names = np.array([image.editor for image in images])
        editors = {str(name): np.flatnonzero(names == name) for name in np.unique(names)}
        uids, uid_at = np.unique(np.array([image.uid for image in images]), return_inverse=True)
        drawn = bootstrap_counts(len(uids), resamples, seed)
        return cls(images, editors, uid_at, np.vstack([np.ones((1, len(uids))), drawn]))

    def judge_scores(self, judge: str) -> FloatArray:
        """Scores [scales, images] of a judge, NaN where it didn't answer both scales."""
        answers = [image.judges.get(judge) for image in self.images]
        scores = [[None if a is None else a.score(scale) for a in answers] for scale in SCALES]
        return np.array(scores, dtype=np.float64)

    def human_scores(self, scale: Scale) -> FloatArray:
        """Scores [images, raters]."""
        return np.array([image.human(scale) for image in self.images])

    def of_scores(self, scores: FloatArray, details: Mapping[str, Json] | None = None) -> Agreement:
        """Agreement of scores [scales, images] with the mean of the people."""
        correlations = []
        for scale, given in zip(SCALES, scores, strict=True):
            human = self.human_scores(scale).mean(axis=1)
            correlations.append(mean_of_defined(np.array(self._by_editor(given, human))))
        answered = int(np.isfinite(scores[0]).sum())
        return _agreement(np.tanh(correlations), np.array(correlations), answered, details or {})

    def between_people(self) -> Agreement:
        """Agreement of each rater with the mean of the others."""
        estimates, correlations = [], []
        for scale in SCALES:
            human = self.human_scores(scale)
            raters = range(human.shape[1])
            others = [np.delete(human, rater, axis=1).mean(axis=1) for rater in raters]
            pairs = np.array([self._by_editor(human[:, rater], others[rater]) for rater in raters])
            by_editor = mean_of_defined(pairs)
            estimates.append(np.tanh(mean_of_defined(np.tanh(by_editor))))
            correlations.append(mean_of_defined(by_editor))
        return _agreement(np.array(estimates), np.array(correlations), len(self.images), {})

    def _by_editor(self, x: FloatArray, y: FloatArray) -> list[FloatArray]:
        """Spearman of each editor, [editors] of [1 + resamples]."""
        found = []
        for members in self.editors.values():
            kept = members[np.isfinite(x[members])]
            if len(kept) >= _FEWEST:
                found.append(spearman(x[kept], y[kept], self.counts[:, self.uid_at[kept]]))
            else:
                found.append(np.full(len(self.counts), np.nan))
        return found


def _agreement(
    estimates: FloatArray, correlations: FloatArray, n: int, details: Mapping[str, Json]
) -> Agreement:
    value = tuple(float(estimate) for estimate in estimates[:, 0])
    plain = tuple(float(correlation) for correlation in correlations[:, 0])
    resampled = estimates[:, 1:]
    ci = tuple(interval(drawn) for drawn in resampled)
    return Agreement(value, ci, n, plain, resampled, details)
