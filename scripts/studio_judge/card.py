"""The card that ships beside the judges: figures as JSON, and the same in words."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson

from studio_judge.attempts import HELD_OUT_SEEDS, RESERVED_SEEDS
from studio_judge.fit import Fitted, Target
from studio_judge.measured import Measured
from studio_judge.report import (
    SOFT_BOUNDS,
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
) -> None:
    """card.json and CARD.md."""
    card = figures(data, fitted, test, judged) | {
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
            "learning": _data(data, RESERVED_SEEDS),
            "held_out": _data(test, HELD_OUT_SEEDS),
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


def _data(data: Measured, first_seed: int) -> dict[str, Any]:
    names = sorted({row["picture"] for row in data.sources} | {row["edited"] for row in data.attempts})
    seeds = {row["seed"] for row in data.sources}
    return {
        "scenes": len(seeds),
        "sources": len(data.sources),
        "attempts": len(data.attempts),
        "really_good": round(float(np.mean([row["good"] for row in data.attempts])), 3),
        "first_seed": first_seed,
        "last_seed": max(seeds, default=first_seed),
        "pictures_hash": hash_bytes("\n".join(names).encode()),
    }


def in_words(card: dict[str, Any]) -> str:
    """The card as Markdown."""
    held, fold = card["held_out"], card["out_of_fold"]
    learned, other = card["data"]["learning"], card["data"]["held_out"]
    lines = [
        "# The studio's judges",
        "",
        "Boosted trees over pixel and text features, and small networks for the look of a whole picture,",
        "calibrated to the embedded studio: they know its things and its flaws, and say nothing about other",
        f"pictures. Made by `scripts/train_studio_judge.py` on {card['date']}; every figure below is its own",
        "and stands in `card.json`.",
        "",
        f"Learned from {learned['attempts']} attempts in {learned['scenes']} scenes (seeds from"
        f" {learned['first_seed']}); judged on {other['attempts']} attempts in {other['scenes']} other scenes"
        f" (from {other['first_seed']}), five for each instruction.",
        f"Never learned from: the flaws {', '.join(card['unseen']['flaws'])}, the settings"
        f" {', '.join(card['unseen']['settings'])}.",
        "",
        "A score is the mean truth of attempts that look like this one (1..5). Accepted: both scores at least"
        f" {card['threshold']}.",
        "",
        "## Validator, held-out scenes",
        "",
        "| | n | base rate | adherence ρ / MAE | aesthetics ρ / MAE | AUC really good | precision | recall |",
        "|---|---|---|---|---|---|---|---|",
    ]
    parts = ("all", "seen", "unseen_flaws", "unseen_settings")
    lines += [_row(p.replace("_", " "), held["validator"][p]) for p in parts if p in held["validator"]]
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
        "## What slips through (held-out and out of fold, bad attempts by their worst flaw)",
        "",
        "| flaw | learned from | n | passed | AUC | n, out of fold | passed | AUC |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for kind, of in fold["validator"]["by_flaw"].items():
        test = held["validator"]["by_flaw"].get(kind)
        first = f"{test['n']} | {test['passed']} | {test['auc']}" if test else "– | – | –"
        seen = "yes" if of["seen_in_training"] else "no"
        lines.append(f"| {kind} | {seen} | {first} | {of['n']} | {of['passed']} | {of['auc']} |")
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


def _row(name: str, part: dict[str, Any]) -> str:
    gate = part["at_threshold"]
    return (
        f"| {name} | {part['n']} | {part['base_rate']} | {part['adherence']['spearman']} /"
        f" {part['adherence']['mae']} | {part['aesthetics']['spearman']} / {part['aesthetics']['mae']} |"
        f" {part.get('auc_really_good', '–')} | {gate['precision']} | {gate['recall']} |"
    )
