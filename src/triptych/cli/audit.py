"""`triptych audit`: the paper's table for any edit data set, as a table, JSON and a picture."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
from rich.console import Console
from rich.table import Table

from triptych.cli.progress import align_numbers, terminal
from triptych.datasets.adapters.opening import open_dataset
from triptych.datasets.adapters.sample import Sample, Skipped
from triptych.datasets.audit import Audit, Line, ScoredPair, audit_of
from triptych.datasets.charts import intervals
from triptych.datasets.dataset import in_order
from triptych.datasets.judging import AuditFolder, Auditor, Outcome
from triptych.errors import MissingImage, UserError, WorkFailed
from triptych.ledger.run import RunFolder
from triptych.mining.select import Triplet
from triptych.mining.state import Plan
from triptych.recipe import load_recipe
from triptych.records import RoleName
from triptych.roles import RoleConfig
from triptych.runs import Run, open_run, recipe_of
from triptych.wiring import plan_of, role_configs

_STUDIO = "triptych.backends.studio"
_EVERY = 10.0  # seconds between two lines of progress
_RULES = {
    "scaled": "the larger picture scaled down to the smaller one's size",
    "cropped": "the larger picture scaled down, and what stuck out cut off on both sides alike",
}


@dataclass(frozen=True, slots=True)
class Judge:
    """Who judges."""

    plan: Plan
    configs: Mapping[RoleName, RoleConfig]

    @property
    def backend(self) -> str:
        """The validator's."""
        return self.configs["validator"].backend

    @property
    def is_studio(self) -> bool:
        """Whether it knows the embedded studio's pictures alone."""
        return self.backend.startswith(_STUDIO)


def audit(
    paths: Sequence[Path],
    validator: Path | None,
    *,
    sample: int | None,
    seed: int,
    out: Path,
    json: bool,
) -> int:
    """Score every data set. UserError where one can't be read, or nobody is named to judge."""
    judge = _judge(validator, paths)
    names = _names(paths)
    console = terminal(stderr=json)
    with AuditFolder(out).opened() as (ledger, images):
        auditor = Auditor(judge.plan, judge.configs, ledger, images)
        audits = [
            _audited(path, name, judge, auditor, sample, seed, console)
            for path, name in zip(paths, names, strict=True)
        ]
    told = {one.name: one.as_json() for one in audits}
    document = told[audits[0].name] if len(audits) == 1 else told
    data = orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n"
    stem = "-".join(names)
    try:
        (out / f"{stem}.json").write_bytes(data)
        (out / f"{stem}.svg").write_bytes(picture(audits))
    except OSError as error:
        raise WorkFailed(f"{out} can't be written ({error.strerror}): mend that and run again") from None
    _print(console, audits, judge)
    console.print(f"picture: {out / f'{stem}.svg'}")
    if json:
        sys.stdout.write(data.decode())
    return 0


def picture(audits: Sequence[Audit]) -> bytes:
    """Geometric means with their intervals, each data set and its categories."""
    charts: dict[str, list[tuple[str, float, tuple[float, float] | None]]] = {}
    for one in audits:
        title = f"{one.name}, {one.whole.n:,} pairs" + (f": {one.note}" if one.note else "")
        lines = {"all": one.whole, **one.by_category}
        charts[title] = [
            (f"{label} ({line.n:,})", line.means["geometric"], line.intervals["geometric"])
            for label, line in lines.items()
            if line.means["geometric"] is not None
        ]
    return intervals(charts, 1, 5)


def _names(paths: Sequence[Path]) -> list[str]:
    names = [path.resolve().name for path in paths]
    if len(set(names)) < len(names):  # two folders called "train"
        names = [f"{path.resolve().parent.name}-{path.resolve().name}" for path in paths]
    if len(set(names)) < len(names):
        raise UserError("the same data set is given twice: name each once")
    return names


def _judge(validator: Path | None, paths: Sequence[Path]) -> Judge:
    if validator is None:
        own = [path for path in paths if _is_run(path)]
        if not own:
            raise UserError("nobody is named to judge: --validator RUN (a run folder) or a recipe")
        validator = own[0]
    if validator.is_dir():
        folder = RunFolder.existing(validator)
        recipe, place = recipe_of(folder), folder.path
    elif (
        validator.suffix == ".json"
    ):  # a calibration, for the judges of the run that it lies in, or an audited one
        runs = [path for path in (validator.parent, *paths) if _is_run(path)]
        if not runs:
            raise UserError(
                f"{validator} reads the judges of a run: put it into that run's folder, or name it in a"
                " recipe as rule.calibration"
            )
        folder = RunFolder.existing(runs[0])
        recipe, place = recipe_of(folder, [f"calibration={validator.resolve()}"]), folder.path
    else:
        recipe, place = load_recipe(validator), validator.parent
    roles: tuple[RoleName, ...] = ("validator",)
    if recipe.rule.calibration is not None:
        roles = ("soft_filter", "validator")
    configs = {role: config for role, config in role_configs(recipe, place).items() if role in roles}
    return Judge(plan_of(recipe, configs), configs)


def _is_run(path: Path) -> bool:
    return (path / "ledger.sqlite").is_file()


def _audited(
    path: Path, name: str, judge: Judge, auditor: Auditor, sample: int | None, seed: int, console: Console
) -> Audit:
    told = _progress(console, name)
    if _is_run(path):
        with open_run(path) as run:
            makers: dict[str, str] = {role: spec.backend for role, spec in run.plan.specs.items()}
            written = all(one.scene.origin == "written" for one in run.view().triplets)
            studio = written and _made_by_studio([makers])
            outcome = _judged_run(run, judge, auditor, sample, seed, told)
    else:
        data = open_dataset(path)
        studio = _made_by_studio(makers_of_export(path))
        outcome = asyncio.run(auditor.judge(data.samples(sample, seed), told))
    calibrated = studio or not judge.is_studio
    return audit_of(name, outcome.scored, outcome.skipped, outcome.aligned, calibrated=calibrated)


def _judged_run(
    run: Run, judge: Judge, auditor: Auditor, sample: int | None, seed: int, told: Callable[[Outcome], None]
) -> Outcome:
    """What leaves a run, by the verdicts that it has where the judge is its own."""
    triplets = in_order(run.view().triplets)
    if sample is not None and sample < len(triplets):
        triplets = random.Random(seed).sample(triplets, sample)
    own = run.plan.spec_id("validator"), run.plan.recipe.rule.calibration
    if own != (judge.plan.spec_id("validator"), judge.plan.recipe.rule.calibration):
        return asyncio.run(auditor.judge(_samples(triplets, run), told))
    scored = [ScoredPair(one.source_image, one.category, one.scores) for one in triplets]
    return Outcome(scored, aligned=Counter(same=len(scored)) if scored else Counter())


def _samples(triplets: Iterable[Triplet], run: Run) -> Iterator[Sample | Skipped]:
    for one in triplets:
        try:
            source, edited = run.images.get(one.source_image), run.images.get(one.edited_image)
        except MissingImage:
            yield Skipped(one.id, "missing_file")
            continue
        yield Sample(one.id, source, one.instruction, edited, one.category)


def _made_by_studio(makers: Sequence[Mapping[str, str]]) -> bool:
    """Whether the embedded studio painted and edited everything, by the back ends of each run's roles."""
    return bool(makers) and all(
        backends.get(role, "").startswith(_STUDIO) for backends in makers for role in ("painter", "editor")
    )


def makers_of_export(path: Path) -> list[dict[str, str]]:
    """Back ends by role of each run that an export came from; empty where other hands had a part in it."""
    try:
        told = orjson.loads((path / "export.json").read_bytes())
        runs = told["runs"] if set(told["counts"]["origin"]) == {"written"} else []
        return [{role: spec["backend"] for role, spec in run["specs"].items()} for run in runs]
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return []


def _progress(console: Console, name: str) -> Callable[[Outcome], None]:
    last = time.monotonic()

    def told(outcome: Outcome) -> None:
        nonlocal last
        if time.monotonic() - last >= _EVERY:
            last = time.monotonic()
            skipped = sum(outcome.skipped.values())
            console.print(f"{name}: {len(outcome.scored):,} pairs scored, {skipped:,} rows skipped")

    return told


def _print(console: Console, audits: Sequence[Audit], judge: Judge) -> None:
    several = len(audits) > 1
    heads = ["n", "adherence", "aesthetics", "geometric", "95 %"]
    table = Table("data set", *heads, box=None, header_style="dim")
    align_numbers(table)
    for one in audits:
        table.add_row(f"{one.name} ({one.note})" if one.note else one.name, *_cells(one.whole))
        for category, line in one.by_category.items():
            table.add_row(f"  {category}", *_cells(line), style="dim")
    console.print(table)
    for one in audits:
        start = f"{one.name}: " if several else ""
        if one.skipped:
            rows = " · ".join(f"{reason.replace('_', ' ')} {n:,}" for reason, n in one.skipped.items())
            console.print(f"{start}skipped: {rows}")
        for how, n in one.aligned.items():
            if how != "same":
                console.print(f"{start}{n:,} pairs of two sizes: {_RULES[how]}")
        if one.note:
            console.print(
                f"{start}uncalibrated: {judge.backend} learned from the embedded studio alone; of"
                " these pictures its scores say nothing that may stand beside others'"
            )


def _cells(line: Line) -> list[str]:
    means = ["–" if mean is None else f"{mean:.2f}" for mean in line.means.values()]
    bounds = line.intervals["geometric"]
    return [f"{line.n:,}", *means, "–" if bounds is None else f"{bounds[0]:.2f} – {bounds[1]:.2f}"]
