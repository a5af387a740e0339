"""`triptych validator health`: do judges answer, agree with themselves, look at what they are shown?"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from rich.table import Table

from triptych.cli.progress import align_numbers, terminal
from triptych.cli.rated import HEALTH
from triptych.cli.validator import print_json
from triptych.datasets.adapters.sample import Sample
from triptych.datasets.judging import AuditFolder, Auditor
from triptych.errors import UserError, WorkFailed
from triptych.ledger.judges import JudgeRecord, judge_record
from triptych.ledger.queries import canary_facts
from triptych.mining.canaries import compared
from triptych.mining.lanes import reached_validator
from triptych.pixels.picture import Picture
from triptych.records import RoleName
from triptych.roles import RoleConfig
from triptych.runs import Run, open_run
from triptych.validator.sanity import KindResult, Original, SanityPair, refusal, results, sanity_pairs

_JUDGES: tuple[RoleName, ...] = ("screen", "soft_filter", "validator")


def health(path: Path, *, pairs: int, force: bool, json: bool) -> int:
    """Tell how a run's judges behave; WorkFailed, with the numbers, for a validator that doesn't look."""
    with open_run(path) as run:
        specs = {role: spec.id for role, spec in run.plan.specs.items() if role in _JUDGES}
        records = {role: judge_record(run.ledger, spec) for role, spec in specs.items()}
        known = canary_facts(run.ledger, specs["validator"])
        checks = [asdict(compared(known.checks[0], check)) for check in known.checks]
        found = _sanity(run, pairs)
        why = refusal(found)
        told: dict[str, Any] = {
            "judges": {role: _told(record) for role, record in records.items()},
            "canaries": {"pairs": len(known.pairs), "checks": checks},
            "sanity": {kind: asdict(result) for kind, result in found.items()},
            "refused": why,
        }
        _keep(run.folder.path / HEALTH / "health.json", told)
    if json:
        print_json(told)
    else:
        _print(records, told)
    if why is not None and not force:
        raise WorkFailed(f"{why}; use another judge, or accept it with --force")
    return 0


def _sanity(run: Run, count: int) -> dict[Any, KindResult]:
    of_source: dict[str, list[Original]] = defaultdict(list)
    by_pair = {}
    for slot in run.slots:
        for source in slot.state.sources if slot.state else ():
            for lane in source.lanes:
                for attempt in lane.attempts:
                    if attempt.pair is not None:
                        by_pair[attempt.pair.id] = attempt.pair
    for known in reached_validator(run.plan, run.slots):
        pair = by_pair.get(known.id)
        if pair is not None:
            original = Original(pair.source_image, pair.instruction, pair.edited_image, known.category)
            of_source[pair.source_image].append(original)
    originals = [given[at % len(given)] for at, given in enumerate(of_source.values())]  # of all categories
    if not originals:
        raise UserError(f"{run.folder.path} has no judged pairs yet to make sanity pairs of: mine first")
    wanted = sanity_pairs(originals, count)
    plan = replace(run.plan, scorer=None)  # the judge itself is asked, not what a calibration makes of it
    configs: dict[RoleName, RoleConfig] = {"validator": run.configs["validator"]}
    with AuditFolder(run.folder.path / HEALTH).opened() as (ledger, images):
        auditor = Auditor(plan, configs, ledger, images)
        outcome = asyncio.run(auditor.judge(_samples(run, wanted), lambda _: None))
    threshold = run.plan.recipe.rule.threshold.adherence
    return results(((one.category or "", one.scores.adherence) for one in outcome.scored), threshold)


def _samples(run: Run, wanted: list[SanityPair]) -> Iterator[Sample]:
    for number, pair in enumerate(wanted):
        source = run.images.get(pair.source)
        if pair.edited is not None:
            edited = _fitted(run.images.get(pair.edited), source)
        else:
            pixels = np.full_like(Picture.from_encoded(source).pixels, 255 if pair.kind == "blank" else 0)
            edited = Picture.from_pixels(pixels).encoded("png")
        yield Sample(f"sanity {number}", source, pair.instruction, edited, pair.kind)


def _fitted(edited: bytes, source: bytes) -> bytes:
    """Another source's picture, scaled to this one's size."""
    import cv2

    wanted, given = Picture.from_encoded(source), Picture.from_encoded(edited)
    if (wanted.width, wanted.height) == (given.width, given.height):
        return edited
    size = wanted.width, wanted.height
    return Picture.from_pixels(np.asarray(cv2.resize(given.pixels, size), dtype=np.uint8)).encoded("png")


def _told(record: JudgeRecord) -> dict[str, Any]:
    missing = sum(record.unscored.values())
    return {
        **asdict(record),
        "unscored": dict(record.unscored),
        "failed_calls": dict(record.failed_calls),
        "unscored_share": round(missing / record.verdicts, 4) if record.verdicts else None,
    }


def _keep(file: Path, told: dict[str, Any]) -> None:
    try:
        file.write_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2) + b"\n")
    except OSError as error:
        raise WorkFailed(f"{file} can't be written ({error.strerror}): mend that and run again") from None


def _print(records: dict[RoleName, JudgeRecord], told: dict[str, Any]) -> None:
    console = terminal()
    table = Table("judge", "answers", "missing", "calls", "failed", "asked again", "same", "apart", box=None)
    align_numbers(table)
    for role, record in records.items():
        same = "–" if record.same is None else f"{record.same:.0%}"
        apart = "–" if record.apart is None else f"{record.apart:.2f}"
        counts = [
            record.verdicts,
            sum(record.unscored.values()),
            record.calls,
            sum(record.failed_calls.values()),
        ]
        cells = [f"{count:,}" for count in (*counts, record.repeated)]
        table.add_row(role.replace("_", " "), *cells, same, apart)
    console.print(table)
    checks = told["canaries"]["checks"]
    if checks:
        worst = max(check["distance"] for check in checks)
        console.print(f"canaries: {len(checks)} checks, at most {worst:.2f} points from the first")
    shown = Table("sanity pairs", "n", "mean adherence", "accepted", box=None)
    align_numbers(shown)
    for kind, result in told["sanity"].items():
        cells = [f"{result['n']:,}", f"{result['mean_adherence']:.2f}", f"{result['accepted']:.0%}"]
        shown.add_row(kind.replace("_", " "), *cells)
    console.print(shown)
