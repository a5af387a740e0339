"""How well the judges do, against the truth: the figures of the card, computed and never typed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from studio_judge.learn import Row, fold_of
from triptych.backends.studio.judge.model import doubted
from triptych.backends.studio.truth import UNSEEN_FLAWS, UNSEEN_SETTINGS, truth_from
from triptych.validator.rule import Rule

Target = NDArray[np.float64]
Flags = NDArray[np.bool_]
SOFT_BOUNDS: Final = (
    Rule().soft_adherence,
    Rule().soft_aesthetics,
    Rule().soft_unasked_change,
    Rule().soft_pleasing,
)
THRESHOLDS: Final = (3.9, 4.0, 4.1, 4.2, 4.3, 4.4, 4.45, 4.5, 4.6)


def unseen_setting(row: Row) -> bool:
    """Whether the pair shows a reserved setting, before or after."""
    scenes = [row["scene"], row.get("source_scene", row["scene"])]
    return any(scene["setting"] in UNSEEN_SETTINGS for scene in scenes)


def unseen_flaw(row: Row) -> bool:
    """Whether one of the flaws, or damage that one of the pictures bears, is reserved."""
    kinds = {kind.removeprefix("source_") for kind, _ in row["truth"]["flaws"]} | set(row["bears"])
    return bool(kinds & UNSEEN_FLAWS)


# What a pair is: an editor's attempt, an inverse, or two orders under one instruction.
KINDS: Final = {"forward": ("forward", "chain"), "inverse": ("inverse",), "joined": ("composite", "stack")}


def of_kind(rows: Sequence[Row], kind: str) -> Flags:
    """Which rows are pairs of this kind."""
    return np.array([row["kind"] in KINDS[kind] for row in rows])


def validator_report(rows: Sequence[Row], predicted: dict[str, Target], threshold: float) -> dict[str, Any]:
    """Every figure of the validator: on attempts, and on each kind of pair apart."""
    report: dict[str, Any] = {"kinds": {}}
    for kind in KINDS:
        part, values = _part(rows, predicted, of_kind(rows, kind))
        if part:
            report["kinds"][kind] = _parts(part, values, threshold) | {
                "by_flaw": _by_flaw(part, values, threshold),
                "by_category": _by_category(part, values, threshold),
                "at_thresholds": {str(t): _at(part, values, t) for t in THRESHOLDS},
            }
    attempts, values = _part(rows, predicted, np.array([row["kind"] == "forward" for row in rows]))
    return report | {
        "selected_by_threshold": {str(t): selected(attempts, values, t) for t in THRESHOLDS},
        "selected_after_all_gates": {
            str(t): selected(attempts, values, t, passed_before(attempts, values)) for t in THRESHOLDS
        },
    }


def _part(
    rows: Sequence[Row], predicted: dict[str, Target], mask: Flags
) -> tuple[list[Row], dict[str, Target]]:
    kept = [row for row, wanted in zip(rows, mask, strict=True) if wanted]
    return kept, {name: values[mask] for name, values in predicted.items()}


def _parts(rows: Sequence[Row], predicted: dict[str, Target], threshold: float) -> dict[str, Any]:
    """The figures on all rows and on seen and unseen ones apart."""
    flaws, settings = (np.array([of(row) for row in rows]) for of in (unseen_flaw, unseen_setting))
    masks = {
        "all": np.ones(len(rows), np.bool_),
        "seen": ~(flaws | settings),
        "unseen_flaws": flaws,
        "unseen_settings": settings,
    }
    return {n: _figures(rows, predicted, mask, threshold) for n, mask in masks.items() if mask.sum() > 1}


def _at(rows: Sequence[Row], predicted: dict[str, Target], threshold: float) -> dict[str, Any]:
    good = np.array([row["good"] for row in rows])
    lowest = np.minimum(predicted["score_adherence"], predicted["score_aesthetics"])
    seen = ~np.array([unseen_flaw(row) or unseen_setting(row) for row in rows])
    return {
        "all": _gate(good, lowest >= threshold),
        "seen": _gate(good[seen], lowest[seen] >= threshold),
    }


def _figures(
    rows: Sequence[Row], predicted: dict[str, Target], mask: Flags, threshold: float
) -> dict[str, Any]:
    part = [row for row, kept in zip(rows, mask, strict=True) if kept]
    good = np.array([row["good"] for row in part])
    a, b = predicted["score_adherence"][mask], predicted["score_aesthetics"][mask]
    accepted = (a >= threshold) & (b >= threshold)
    figures: dict[str, Any] = {"n": len(part), "base_rate": _r(good.mean())}
    for axis, score in (("adherence", a), ("aesthetics", b)):
        truth = np.array([row["truth"][axis] for row in part])
        figures[axis] = {
            "spearman": _r(spearmanr(score, truth).statistic),
            "mae": _r(np.abs(score - truth).mean()),
            "spearman_of_flaws": _r(spearmanr(_without_doubt(part, axis), truth).statistic),
        }
    if 0 < good.sum() < len(good):
        figures["auc_really_good"] = _r(roc_auc_score(good, np.minimum(a, b)))
    figures["at_threshold"] = _gate(good, accepted)
    return figures


def _without_doubt(rows: Sequence[Row], axis: str) -> Target:
    """What a judge would say that knew every flaw and how strong it is, but not the matters of taste."""
    flaws = [tuple((kind, strength) for kind, strength in row["truth"]["flaws"]) for row in rows]
    return np.array([getattr(truth_from(each), axis) for each in flaws])


def _gate(good: Flags, accepted: Flags) -> dict[str, Any]:
    hits = int((good & accepted).sum())
    return {
        "accepted": int(accepted.sum()),
        "precision": _r(hits / accepted.sum()) if accepted.any() else None,
        "recall": _r(hits / good.sum()) if good.any() else None,
    }


def selected(
    rows: Sequence[Row], predicted: dict[str, Target], threshold: float, before: Flags | None = None
) -> dict[str, Any]:
    """Of each (source, instruction) the best accepted attempt, and the first: how many, how many really good.

    `before`: what the gates before the validator let through.
    """
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        groups[row["source"], row["instruction"]].append(number)
    a, b = predicted["score_adherence"], predicted["score_aesthetics"]
    accepted = (a >= threshold) & (b >= threshold)
    if before is not None:
        accepted &= before
    best, first, possible = [], [], 0
    for members in groups.values():
        possible += any(rows[i]["good"] for i in members)
        able = [i for i in members if accepted[i]]
        if able:
            best.append(max(able, key=lambda i: a[i] * b[i]))
            first.append(able[0])
    figures: dict[str, Any] = {"groups": len(groups), "n": len(best), "precision": None, "recall": None}
    if best:
        hits = sum(rows[i]["good"] for i in best)
        figures["precision"] = _r(hits / len(best))
        figures["recall"] = _r(hits / max(1, possible))
        figures["precision_of_first"] = _r(sum(rows[i]["good"] for i in first) / len(first))
    return figures


def _by_flaw(rows: Sequence[Row], predicted: dict[str, Target], threshold: float) -> dict[str, Any]:
    """For the worst flaw of each bad attempt: the share let through, and AUC against the good ones."""
    worst = np.array([row["truth"]["flaws"][0][0] if row["truth"]["flaws"] else "none" for row in rows])
    good = np.array([row["good"] for row in rows])
    lowest = np.minimum(predicted["score_adherence"], predicted["score_aesthetics"])
    result: dict[str, Any] = {}
    for kind in sorted(set(worst) - {"none"}):
        of = (worst == kind) & ~good
        if of.sum() < 5:
            continue
        both = of | good
        result[str(kind)] = {
            "n": int(of.sum()),
            "seen_in_training": kind.removeprefix("source_") not in UNSEEN_FLAWS,
            "passed": _r((lowest[of] >= threshold).mean()),
            "auc": _r(roc_auc_score(good[both], lowest[both])),
        }
    return result


def _by_category(rows: Sequence[Row], predicted: dict[str, Target], threshold: float) -> dict[str, Any]:
    categories = np.array([row["category"] for row in rows])
    good = np.array([row["good"] for row in rows])
    lowest = np.minimum(predicted["score_adherence"], predicted["score_aesthetics"])
    return {
        str(name): {"n": int((categories == name).sum()), "base_rate": _r(good[categories == name].mean())}
        | _gate(good[categories == name], lowest[categories == name] >= threshold)
        for name in sorted(set(categories))
    }


def soft_kept(predicted: dict[str, Target], bounds: tuple[float, float, float, float]) -> Flags:
    """What the soft filter lets through."""
    return np.asarray(
        (predicted["score_soft_adherence"] >= bounds[0])
        & (predicted["score_soft_aesthetics"] >= bounds[1])
        & (doubted(predicted["soft_unasked"]) <= bounds[2])
        & (1 - doubted(1 - predicted["soft_pleasing"]) >= bounds[3])
    )


def passed_before(rows: Sequence[Row], predicted: dict[str, Target]) -> Flags:
    """What reaches the validator: past the soft filter and the registration check of the default rule."""
    rule = Rule()
    still = np.array(
        [
            row["full"].get("registration_shift", 0.0) <= rule.shift
            and abs(row["full"].get("registration_zoom", 0.0)) <= rule.zoom
            for row in rows
        ]
    )
    return soft_kept(predicted, SOFT_BOUNDS) & still


def soft_report(
    rows: Sequence[Row], predicted: dict[str, Target], bounds: tuple[float, float, float, float]
) -> dict[str, Any]:
    """What the soft filter keeps of the good attempts and drops of the bad."""
    good = np.array([row["good"] for row in rows])
    kept = soft_kept(predicted, bounds)
    lowest = np.minimum(predicted["score_soft_adherence"], predicted["score_soft_aesthetics"])
    return {
        "bounds": dict(
            zip(
                ("soft_adherence", "soft_aesthetics", "soft_unasked_change", "soft_pleasing"),
                bounds,
                strict=True,
            )
        ),
        "good_kept": _r(kept[good].mean()),
        "bad_dropped": _r(1 - kept[~good].mean()),
        "auc_really_good": _r(roc_auc_score(good, lowest)),
        "spearman_adherence": _r(
            spearmanr(
                predicted["score_soft_adherence"], [row["truth"]["adherence"] for row in rows]
            ).statistic
        ),
        "spearman_aesthetics": _r(
            spearmanr(
                predicted["score_soft_aesthetics"], [row["truth"]["aesthetics"] for row in rows]
            ).statistic
        ),
    }


def screen_report(
    rows: Sequence[Row], predicted: dict[str, Target], threshold: float = 0.5
) -> dict[str, Any]:
    """The screen against the painter's flaws."""
    fit = np.array([row["truth"]["shows_prompt"] and row["truth"]["looks_right"] for row in rows])
    lowest = np.minimum(predicted["screen_shows"], predicted["screen_right"])
    passed = lowest >= threshold
    kinds = sorted({kind for row in rows for kind, _ in row["truth"]["flaws"]})
    result: dict[str, Any] = {"n": len(rows), "base_rate": _r(fit.mean()), "threshold": threshold}
    result |= _gate(fit, passed) | {"auc": _r(roc_auc_score(fit, lowest))}
    result["passed_by_flaw"] = {}
    for kind in kinds:
        of = np.array([any(k == kind for k, _ in row["truth"]["flaws"]) for row in rows])
        result["passed_by_flaw"][kind] = {"n": int(of.sum()), "passed": _r(passed[of].mean())}
    return result


def three_statistics_auc(rows: Sequence[Row]) -> float:
    """AUC of a logistic judge of mean |D|, luminance shift and Laplacian-energy ratio alone, out of fold."""
    x = np.array(
        [[row["soft"]["small_mean"], row["soft"]["tone_light"], row["soft"]["small_detail"]] for row in rows]
    )
    good = np.array([row["good"] for row in rows])
    judge = make_pipeline(StandardScaler(), LogisticRegression())
    chance = cross_val_predict(
        judge, x, good, groups=[fold_of(row) for row in rows], cv=_Folds(rows), method="predict_proba"
    )
    return _r(roc_auc_score(good, chance[:, 1]))


class _Folds:
    def __init__(self, rows: Sequence[Row]) -> None:
        self.fold = np.array([fold_of(row) for row in rows])

    def get_n_splits(self, *_: object) -> int:
        return len(set(self.fold))

    def split(self, *_: object, **__: object) -> Any:
        for fold in sorted(set(self.fold)):
            yield np.flatnonzero(self.fold != fold), np.flatnonzero(self.fold == fold)


def _r(value: float) -> float:
    return round(float(value), 3)
