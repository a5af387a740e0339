"""A validator's report as a page: Markdown with tables, and its curves as pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from triptych.datasets.line_charts import lines

Figures = Mapping[str, Any]


def pictures(report: Figures) -> dict[str, bytes]:
    """SVG files by name."""
    reliable = [(bin_["predicted"], bin_["value"]) for bin_ in report["reliability"]]
    survived = [(point["t"], point["share"]) for point in report["survival"]]
    curve = report["precision_recall"]
    drawn = [(p["recall"], p["precision"]["value"]) for p in curve if p["recall"] is not None]
    knees = report["paper_rule"]["knees"] or []
    return {
        "reliability.svg": lines(
            "Reliability", ("P(accept)", "share that people accept"), {"": reliable}, diagonal=True
        ),
        "survival.svg": lines(
            "Survival",
            ("T", "share with both scores ≥ T"),
            {"": survived},
            across=(1.0, 5.0),
            marks=knees,
        ),
        "precision_recall.svg": lines("Precision over recall", ("recall", "precision"), {"": drawn}),
    }


def markdown(report: Figures, title: str, written_by: str) -> str:
    """The page; pictures are taken from beside it."""
    return "\n".join(_page(report, title, written_by)) + "\n"


def _page(report: Figures, title: str, written_by: str) -> Iterator[str]:
    n, base = report["n"], report["base_rate"]
    yield f"# {title}\n"
    yield f"Written by `{written_by}`; don't edit."
    yield (
        f"{n['pairs']:,} held-out rated pairs of {n['sources']:,} sources, none of them fitted on; people"
        f" accept {_share(base)}. Intervals are 95 %: bootstrap over sources, exact for shares.\n"
    )
    yield "## Scores\n"
    yield "| | MAE | Spearman | Pearson | n |"
    yield "|---|---|---|---|---|"
    for axis, found in report["axes"].items():
        yield _scores_row(f"{axis}, calibrated", found)
        for name, baseline in found["baselines"].items():
            said = f" ({baseline['signal']})" if "signal" in baseline else ""
            yield _scores_row(f"{axis}, {name.replace('_', ' ')}{said}", baseline)
    yield ""
    yield "MAE by people's score:\n"
    buckets = next(iter(report["axes"].values()))["mae_by_bucket"]
    yield "| | " + " | ".join(f"{bucket['from']:g}-{bucket['to']:g}" for bucket in buckets) + " |"
    yield "|---|" + "---|" * len(buckets)
    for axis, found in report["axes"].items():
        cells = [f"{_number(bucket['mae'])} (n {bucket['n']:,})" for bucket in found["mae_by_bucket"]]
        yield f"| {axis} | {' | '.join(cells)} |"
    yield ""
    yield from _decisions(report)
    yield from _confusion(report["confusion"])
    yield from _categories(report["categories"])
    yield "## Curves\n"
    yield "![Reliability](reliability.svg) ![Survival](survival.svg) ![Precision](precision_recall.svg)"


def _decisions(report: Figures) -> Iterator[str]:
    accept, paper = report["accept"], report["paper_rule"]
    yield "## Decisions\n"
    yield f"P(accept): AUC {_estimate(accept['auc'])}, Brier score {_estimate(accept['brier'])}.\n"
    yield "| rule | precision | recall | F1 | accuracy |"
    yield "|---|---|---|---|---|"
    at = accept["at_threshold"]
    yield _decision_row(f"P(accept) ≥ {at['threshold']:g}", at)
    for name, told in accept["baselines"].items():
        said = f" ({told['signal']})" if "signal" in told else ""
        where = f" ≥ {told['threshold']:.2f}" if "threshold" in told else ""
        yield _decision_row(f"{name.replace('_', ' ')}{said}{where}", told)
    if paper["raw"] is not None:
        yield _decision_row(
            f"the paper's rule, the validator's own scores ≥ {paper['threshold']:g}", paper["raw"]
        )
    yield _decision_row(f"the paper's rule, calibrated scores ≥ {paper['threshold']:g}", paper["calibrated"])
    if paper["midpoint"] is not None:
        knees = " and ".join(f"{knee:g}" for knee in paper["knees"])
        name = f"midway between the knees {knees}: calibrated ≥ {paper['midpoint']:g}"
        yield _decision_row(name, paper["at_midpoint"])
    yield ""


def _confusion(confusion: Figures) -> Iterator[str]:
    yield "## Confusion by bucket\n"
    for axis, table in confusion["people_by_ours"].items():
        yield f"| {axis}: people ↓, calibrated → | " + " | ".join(confusion["buckets"]) + " |"
        yield "|---|" + "---|" * len(confusion["buckets"])
        for name, row in zip(confusion["buckets"], table, strict=True):
            yield f"| {name} | " + " | ".join(f"{count:,}" for count in row) + " |"
        yield ""


def _categories(categories: Figures) -> Iterator[str]:
    yield "## Categories\n"
    yield "| | n | accepted by people | adherence ρ | aesthetics ρ | precision | recall |"
    yield "|---|---|---|---|---|---|---|"
    few = {name: found["n"] for name, found in categories.items() if "axes" not in found}
    for name, found in categories.items():
        if name in few:
            continue
        rho = [_estimate(found["axes"][axis]["spearman"]) for axis in ("adherence", "aesthetics")]
        at = found["at_threshold"]
        cells = [_share(found["base_rate"]), *rho, _share(at["precision"]), _share(at["recall"])]
        yield f"| {name} | {found['n']:,} | {' | '.join(cells)} |"
    yield ""
    if few:
        yield "Too few to say: " + ", ".join(f"{name} ({n})" for name, n in few.items()) + ".\n"


def _scores_row(name: str, found: Figures) -> str:
    cells = [_estimate(found[metric]) for metric in ("mae", "spearman", "pearson")]
    return f"| {name} | {' | '.join(cells)} | {found['n']:,} |"


def _decision_row(name: str, told: Figures) -> str:
    cells = [_share(told["precision"]), _share(told["recall"]), _number(told["f1"]), _share(told["accuracy"])]
    return f"| {name} | {' | '.join(cells)} |"


def _estimate(told: Figures) -> str:
    if told["value"] is None:
        return "undefined"
    low, high = (_number(end) for end in told["ci"])
    return f"{told['value']:.3f} [{low}, {high}]"


def _share(told: Figures) -> str:
    if told["value"] is None:
        return "–"
    low, high = told["ci"]
    return f"{told['value']:.3f} [{low:.3f}, {high:.3f}] (n {told['n']:,})"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
