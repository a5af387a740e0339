"""Writes docs/agreement.md from ImagenHub's ratings: every figure on it comes out of this run.

python benchmarks/agreement_page.py imagenhub.jsonl [--to docs/agreement.md]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from triptych.benchmarks.agreement import HUMAN, Agreement, agreement
from triptych.benchmarks.calibrated import CALIBRATED, UNSEEN_EDITOR
from triptych.benchmarks.imagenhub import SCALES, RatedImage, read_imagenhub

Judges = Mapping[str, Agreement]
OURS = (CALIBRATED, UNSEEN_EDITOR)
SPLITS = 5

HEAD = """# Agreement with people

How far judges agree with people on ImagenHub's ratings (three raters an image; judge runs by VIEScore), and
how far one calibration of all those runs does. Written by `make agreement`; don't edit.

**The estimator** is that of VIEScore's published tables, which these figures reproduce to four digits. A
judge's SC and PQ are the lowest of its sub-scores, O = √(SC·PQ); people's O is the mean of each rater's
√(SC·PQ). Spearman within each editor, mean over editors, then tanh. People among themselves: each rater
with the mean of the other two, mean over raters, tanh for each editor, mean over editors, tanh once more.
So all figures are below the correlations they stand for, people's the most: comparing a judge's figure with
people's flatters the judge. The last table of each task gives plain means of Spearman's ρ within editors,
without tanh, for those who want to compare like with like.

An answer that is absent or unreadable is missing, and leaves the image out for that judge (n says how many
are left). Intervals: 95 %, bootstrap over uids, the same draws for every judge, so that differences are
paired.

**Calibrated** (`validator/calibrate.py`): every judge run is a signal; weights are ≥ 0, so a kinder verdict
never lowers a score; LPIPS, where the file has it, says how far to trust the judges. An image is predicted
by a fit on other uids; for `calibrated_unseen_editor` also on other editors. Which judges, with
interactions or not, and how much shrinkage is chosen inside, on folds of the uids that the fit may see.
Intervals are of these predictions and don't include refitting.

**What the nesting can't undo:** before the menu of configurations was fixed, about 280 variants of signals,
terms, targets and shrinkage were looked at by cross-validation on the ratings of text-guided editing. Its
calibrated figures are a little optimistic for that. No other task was used to choose anything.
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("ratings", type=Path)
    parser.add_argument("--to", type=Path, default=Path("docs/agreement.md"))
    parsed = parser.parse_args()
    images = read_imagenhub(parsed.ratings)
    found = agreement(images)
    order = sorted(found, key=lambda task: (not task.endswith("_IE"), -found[task][HUMAN].n))
    parts = [HEAD, *(line for task in order for line in section(task, found[task]))]
    editing = [task for task in order if task.endswith("_IE")]
    parts.append(other_splits({task: [image for image in images if image.task == task] for task in editing}))
    parsed.to.write_text("\n".join(parts) + "\n", encoding="utf-8")


def section(task: str, judges: Judges) -> Iterator[str]:
    """One task: every judge, then ours against the best single judge and against people."""
    yield f"## {task}\n"
    yield table(
        "judge", {name: [cell(one, at) for at in range(3)] + [f"{one.n:,}"] for name, one in ranked(judges)}
    )
    ours = {name: judges[name] for name in OURS if name in judges}
    if not ours:
        return
    single = {name: one for name, one in judges.items() if name not in (*OURS, HUMAN)}
    best = max(single, key=lambda name: np.nan_to_num(single[name].value, nan=-1).mean())
    rows = {
        f"{name} − {other}": [
            f"{d:+.4f} [{low:+.3f}, {high:+.3f}]" for d, low, high in one.above(judges[other])
        ]
        for other in (best, HUMAN)
        for name, one in ours.items()
    }
    yield table("difference", {name: [*cells, ""] for name, cells in rows.items()})
    compared = {name: judges[name] for name in (*OURS, HUMAN, best) if name in judges}
    plain = {name: [f"{rho:.4f}" for rho in one.plain] + [f"{one.n:,}"] for name, one in compared.items()}
    yield table("plain mean ρ", plain)
    details = next(iter(ours.values())).details
    yield f"Configurations tried in each fit: {details['configurations_tried']}. Chosen most often:\n"
    for name, one in ours.items():
        chosen = one.details["chosen"]
        assert isinstance(chosen, dict)
        told = "; ".join(f"{scale} {most(counts)}" for scale, counts in chosen.items())
        yield f"- {name}: {told} (of {one.details['outer_fits']} fits)"
    yield ""


def other_splits(tasks: Mapping[str, Sequence[RatedImage]]) -> str:
    """How much the calibrated figures of editing owe to the way uids fell into folds."""
    rows = {}
    for task, images in tasks.items():
        tries = [agreement(images, resamples=1, seed=seed)[task] for seed in range(SPLITS)]
        for name in OURS:
            values = np.array([judges[name].value for judges in tries])
            cells = [f"{v.mean():.4f} ({v.min():.4f} … {v.max():.4f})" for v in values.T]
            rows[f"{task}, {name}"] = [*cells, f"{tries[0][name].n:,}"]
    said = f"Calibrated figures over {SPLITS} ways to split uids into folds: mean (lowest … highest)."
    return f"## Other splits\n\n{said} The first of them is the one above.\n\n{table('', rows)}"


def ranked(judges: Judges) -> list[tuple[str, Agreement]]:
    """People first, ours next, then single judges from the best down."""
    place = {HUMAN: 0, CALIBRATED: 1, UNSEEN_EDITOR: 2}
    return sorted(
        judges.items(),
        key=lambda named: (place.get(named[0], 3), -np.nan_to_num(named[1].value, nan=-1).mean()),
    )


def cell(one: Agreement, at: int) -> str:
    (low, high), value = one.ci[at], one.value[at]
    return f"{value:.4f} [{low:.3f}, {high:.3f}]" if np.isfinite(value) else "undefined"


def most(counts: object) -> str:
    assert isinstance(counts, dict)
    name = max(counts, key=lambda key: counts[key])
    return f"“{name}” {counts[name]}×"


def table(head: str, rows: Mapping[str, list[str]]) -> str:
    lines = [f"| {head} | {' | '.join(SCALES)} | n |", "|---|---|---|---|---|"]
    lines += [f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
