"""The card that ships beside the judges: figures as JSON, and the same in words."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson

from studio_judge.fit import Fitted, Target
from studio_judge.measured import Measured
from studio_judge.report import (
    KINDS,
    SOFT_BOUNDS,
    of_kind,
    screen_report,
    soft_report,
    three_statistics_auc,
    validator_report,
)
from triptych.backends.studio.truth import UNSEEN_FLAWS, UNSEEN_SETTINGS
from triptych.records import hash_bytes

THRESHOLD: Final = 4.45  # on both axes: what the quickstart's rule asks for


def write_card(
    folder: Path,
    data: Measured,
    fitted: Fitted,
    test: Measured,
    judged: tuple[dict[str, Target], dict[str, Target]],
    packed: bytes,
    beside: Path | None = None,
) -> None:
    """card.json and CARD.md. `beside`: the model file whose heads, screen and scores were taken."""
    card = figures(data, fitted, test, judged) | {
        "before": None if beside is None else _before(beside),
        "file": {"bytes": len(packed), "hash": hash_bytes(packed)},
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
    }
    (folder / "card.json").write_bytes(orjson.dumps(card, option=orjson.OPT_INDENT_2) + b"\n")
    (folder / "CARD.md").write_text(in_words(card), encoding="utf-8")


def figures(
    data: Measured, fitted: Fitted, test: Measured, judged: tuple[dict[str, Target], dict[str, Target]]
) -> dict[str, Any]:
    """All figures: out of fold on the scenes learned from, and by the finished model on held-out scenes."""
    return {
        "threshold": THRESHOLD,
        "unseen": {"flaws": sorted(UNSEEN_FLAWS), "settings": sorted(UNSEEN_SETTINGS)},
        "data": {
            "learning": _data(data),
            "held_out": _data(test),
        },
        "held_out": {
            "validator": validator_report(test.attempts, judged[0], THRESHOLD),
            "soft_filter": soft_report(test.attempts, judged[0], SOFT_BOUNDS),
            "screen": screen_report(test.sources, judged[1]),
            "three_statistics_auc": three_statistics_auc(test.attempts),
        },
        "out_of_fold": {
            "validator": validator_report(data.attempts, fitted.attempts, THRESHOLD),
            "soft_filter": soft_report(data.attempts, fitted.attempts, SOFT_BOUNDS),
            "screen": screen_report(data.sources, fitted.sources),
            "three_statistics_auc": three_statistics_auc(data.attempts),
        },
    }


def _before(model_file: Path) -> dict[str, Any]:
    """From what the model before was learned, as the card beside its file says."""
    card: dict[str, Any] = orjson.loads(model_file.with_name("card.json").read_bytes())
    before: dict[str, Any] = card.get("before") or card["data"]["learning"] | {"date": card["date"]}
    return before


def _data(data: Measured) -> dict[str, Any]:
    names = sorted({row["picture"] for row in data.sources} | {row["edited"] for row in data.attempts})
    seeds = {row["seed"] for row in data.attempts}
    return {
        "scenes": len(seeds),
        "sources": len(data.sources),
        "pairs": {kind: int(of_kind(data.attempts, kind).sum()) for kind in KINDS},
        "really_good": round(float(np.mean([row["good"] for row in data.attempts])), 3),
        "seeds": [min(seeds, default=0), max(seeds, default=0)],
        "pictures_hash": hash_bytes("\n".join(names).encode()),
    }


def in_words(card: dict[str, Any]) -> str:
    """The card as Markdown."""
    held, fold = card["held_out"], card["out_of_fold"]
    learned, other, before = card["data"]["learning"], card["data"]["held_out"], card["before"]
    lines = [
        "# The studio's judges",
        "",
        "Boosted trees over pixel and text features, and small networks for the look of a whole picture,",
        "calibrated to the embedded studio: they know its things and its flaws, and say nothing about other",
        f"pictures. Made by `scripts/train_studio_judge.py` on {card['date']}; every figure below is its own",
        "and stands in `card.json`.",
        "",
        f"Learned from {_pairs(learned)}; judged on {_pairs(other)}, five attempts at each instruction.",
        *(
            []
            if before is None
            else [
                "The heads, the screen and a first opinion, whose scores are features, were learned before,"
                f" on {before['date']}, from {before['attempts']} attempts in {before['scenes']} scenes"
                f" (seeds from {before['first_seed']}): of those only derived pairs were learned from again."
            ]
        ),
        f"Never learned from: the flaws {', '.join(card['unseen']['flaws'])}, the settings"
        f" {', '.join(card['unseen']['settings'])}.",
        "",
        "A score is the mean truth of attempts that look like this one (1..5). Accepted: both scores at least"
        f" {card['threshold']}.",
        "",
        "## Validator, held-out scenes",
        "",
        "| pairs | | n | base rate | adherence ρ (best) / MAE | aesthetics ρ / MAE | AUC really good"
        " | precision | recall |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    parts = ("all", "seen", "unseen_flaws", "unseen_settings")
    kinds = held["validator"]["kinds"]
    lines += [
        _row(kind, p.replace("_", " "), kinds[kind][p]) for kind in kinds for p in parts if p in kinds[kind]
    ]
    lines += [
        "",
        "Forward: an editor's attempt. Inverse: from the edited picture to its source. Joined: two or more",
        "orders under one instruction. Best: ρ of a judge that knew every flaw and its strength, but not the",
        "matters of taste that are drawn by chance.",
        "",
        "Precision / recall on seen pairs, by threshold on both axes:",
        "",
        "| threshold | " + " | ".join(kinds) + " |",
        "|---|" + "---|" * len(kinds),
        *(
            f"| {t} | " + " | ".join(_two(kinds[kind]["at_thresholds"][t]["seen"]) for kind in kinds) + " |"
            for t in kinds["forward"]["at_thresholds"]
        ),
        "",
        "By operation, precision / recall (n), held-out and out of fold:",
        "",
        "| operation | " + " | ".join(f"{kind} | out of fold" for kind in kinds) + " |",
        "|---|" + "---|---|" * len(kinds),
        *(_operation_row(name, kinds, fold["validator"]["kinds"]) for name in _operations(fold)),
    ]
    chosen = held["validator"]["selected_by_threshold"][str(card["threshold"])]
    lines += [
        "",
        f"Best accepted attempt of each (source, instruction): {chosen['n']} selected of {chosen['groups']},"
        f" precision {chosen['precision']}, recall {chosen['recall']} of those that have a good one.",
        "",
        "After the soft filter and the registration check as well:",
        "",
        "| threshold | selected | precision | recall | precision of the first accepted |",
        "|---|---|---|---|---|",
        *(
            f"| {t} | {s['n']} | {s['precision']} | {s['recall']} | {s.get('precision_of_first', '–')} |"
            for t, s in held["validator"]["selected_after_all_gates"].items()
        ),
        "",
        "## What slips through (held-out and out of fold, bad pairs by their worst flaw)",
        "",
        "| pairs | flaw | learned from | n | passed | AUC | n, out of fold | passed | AUC |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for pairs, judged in fold["validator"]["kinds"].items():
        for kind, of in judged["by_flaw"].items():
            test = kinds[pairs]["by_flaw"].get(kind)
            first = f"{test['n']} | {test['passed']} | {test['auc']}" if test else "– | – | –"
            seen = "yes" if of["seen_in_training"] else "no"
            lines.append(
                f"| {pairs} | {kind} | {seen} | {first} | {of['n']} | {of['passed']} | {of['auc']} |"
            )
    soft, screen = held["soft_filter"], held["screen"]
    lines += [
        "",
        "## Soft filter and screen, held-out scenes",
        "",
        f"Soft filter at {soft['bounds']}: keeps {soft['good_kept']} of the good, drops"
        f" {soft['bad_dropped']} of the bad; AUC {soft['auc_really_good']}.",
        f"Screen at {screen['threshold']}: precision {screen['precision']}, recall {screen['recall']}, base"
        f" rate {screen['base_rate']}, AUC {screen['auc']}.",
        f"Three global pixel statistics alone: AUC {held['three_statistics_auc']}.",
        "",
    ]
    return "\n".join(lines)


def _row(kind: str, name: str, part: dict[str, Any]) -> str:
    gate, adherence, aesthetics = part["at_threshold"], part["adherence"], part["aesthetics"]
    return (
        f"| {kind} | {name} | {part['n']} | {part['base_rate']} |"
        f" {adherence['spearman']} ({adherence['spearman_of_flaws']}) / {adherence['mae']} |"
        f" {aesthetics['spearman']} / {aesthetics['mae']} | {part.get('auc_really_good', '–')} |"
        f" {gate['precision']} | {gate['recall']} |"
    )


def _pairs(data: dict[str, Any]) -> str:
    counts = ", ".join(f"{number} {kind}" for kind, number in data["pairs"].items())
    return f"{sum(data['pairs'].values())} pairs ({counts}) in {data['scenes']} scenes"


def _two(gate: dict[str, Any]) -> str:
    return f"{gate['precision']} / {gate['recall']}"


def _operations(fold: dict[str, Any]) -> list[str]:
    kinds = fold["validator"]["kinds"].values()
    return sorted({name for kind in kinds for name in kind["by_category"]})


def _operation_row(name: str, held: dict[str, Any], fold: dict[str, Any]) -> str:
    cells = []
    for kind in held:
        for side in (held, fold):
            of = side[kind]["by_category"].get(name)
            cells.append("–" if of is None else f"{_two(of)} ({of['n']})")
    return f"| {name} | {' | '.join(cells)} |"
