"""How far the embedded judge can be trusted, calibrated by the commands of any other, on scenes of its own.

    python benchmarks/validator.py [--json] [--pool RUN]

Mines a pool of attempts at seeds that neither recipes nor the judge's training use, with every gate open, so
that everything is judged; rates it with simulated people; and fits, thresholds and measures as `triptych
validator` does. Truth is read only to make the people and to measure. Sources fall into three parts:

    fit      ratings that the calibration is fitted on, without the flaws and settings that are kept unseen
    rate     ratings that thresholds are found on
    measure  nothing but measured on

`seen` and `unseen`: attempts of the parts that weren't fitted on, against truth; precision and recall on
`measure` alone (null of nothing), as the threshold is found on `rate`: the highest of a few precisions that
can be certified at 90 % confidence on its seen ratings (a half where none can). `by_flaw` counts attempts of
both parts. `guarantee`: for what best-of-2 selects, over draws of two thirds of the sources of `rate`, how
often precision in `measure` falls below the target, and how many are selected there relative to the loosest
threshold that keeps it, which only an oracle knows.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import yaml
from numpy.typing import NDArray

from triptych.backends.studio.truth import UNSEEN_FLAWS, UNSEEN_SETTINGS
from triptych.backends.studio.world import WorldStore
from triptych.cli.truth import measured_run
from triptych.errors import UserError
from triptych.mining.lanes import lanes, reached_validator
from triptych.recipe import parse_recipe
from triptych.records import Rating, identify
from triptych.runs import Run, mine, open_run
from triptych.validator.agreement import spearman
from triptych.validator.calibrate import Calibration, save_calibration
from triptych.validator.curves import auc
from triptych.validator.evidence import accepted_by_people, fit_pairs
from triptych.validator.ratings import AXES
from triptych.validator.selection import NOBODY, Candidate, Lane, picks
from triptych.validator.signals import columns, signal_table
from triptych.validator.simulated import simulated_ratings
from triptych.validator.thresholds import Goal, Rated, find_thresholds
from triptych.wiring import signal_specs

POOL = """
name: validator_pool
seed: 1700000  # its scenes' seeds begin at 1,700,000,000,000, apart from mining's and from training's
scenes: 400
sources_per_scene: 1
edits_per_scene: 5
attempts: 2
megapixels: 0.25
writer: studio
painter: studio
screen: studio
editor: studio
soft_filter: studio
validator: studio
rule:  # every gate open: whatever is made is judged
  {shows_prompt: 0, looks_right: 0, soft_adherence: 1, soft_aesthetics: 1, soft_unasked_change: 1,
   soft_pleasing: 0, largest_component: 0, shift: 10000, zoom: 10000}
canaries: {pairs: 0}
budget: {wall: 420}  # the rest of ten minutes is for measuring
"""
CHOSEN = (0.95, 0.9, 0.85, 0.8, 0.7)  # precisions, of which the highest that can be certified is taken
CONFIDENCE = 0.9
GUARANTEED = Goal(0.75, CONFIDENCE)
DRAWN = (
    2 / 3
)  # of the sources of `rate`, without putting back: as varied as ratings of other sources would be
RESAMPLES = 200
RATERS, PER_PAIR = 6, 3
PARTS = {"fit": 0.35, "rate": 0.4, "measure": 0.25}


@dataclass(frozen=True)
class Attempt:
    """What is true of a judged attempt."""

    source: str
    good: bool
    axes: Mapping[str, float]
    flaws: tuple[tuple[str, float], ...]
    seen: bool  # neither its flaws nor its settings are kept unseen
    part: str = ""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="as one JSON object")
    parser.add_argument("--pool", type=Path, help="keep the pool in this run folder, or take one from there")
    parsed = parser.parse_args()
    with pool_folder(parsed.pool) as folder:
        mined(folder)
        try:
            figures = measure(folder)
        except UserError as error:  # a machine so slow, or busy, that the pool came out small
            sys.exit(f"the pool is too small to measure on: {error}")
    if parsed.json:
        sys.stdout.write(orjson.dumps(figures, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        print(yaml.safe_dump(figures, sort_keys=False))


def mined(folder: Path) -> None:
    """Mine the pool, unless it is there."""
    if not (folder / "ledger.sqlite").exists():
        mine(parse_recipe(POOL, origin="the pool's recipe", base=Path.cwd()), folder)


@contextmanager
def pool_folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        yield kept
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "pool"


def measure(folder: Path) -> dict[str, Any]:
    """Every figure of a mined pool."""
    with open_run(folder) as run:
        attempts = known_attempts(run)
        pairs = [pair for pair in reached_validator(run.plan, run.slots) if pair.id in attempts]
        ratings = rate(attempts)
        fitting = {id_ for id_, attempt in attempts.items() if attempt.seen and attempt.part == "fit"}
        fitted = fit_pairs(
            columns(signal_specs(run.plan.specs)),
            [pair for pair in pairs if pair.id in fitting],
            [rating for rating in ratings if rating.pair_id in fitting],
            data={"pool": run.plan.recipe.name, "raters": "simulated"},
            hold_out=0.0,
        ).calibration
        table = signal_table(fitted.columns, pairs)
    accepted = accepted_by_people(ratings)
    scored = fitted.apply(table)
    assert scored.accept is not None
    ours = {axis: dict(zip(table.items, scored.scores[axis], strict=True)) for axis in AXES}
    ours["accept"] = dict(zip(table.items, scored.accept.round(4), strict=True))
    lowest = chosen_threshold(attempts, ours["accept"], accepted)
    tested = {id_: one for id_, one in attempts.items() if one.part != "fit" and id_ in ours["accept"]}
    return {
        "seen": axes_and_decisions({k: v for k, v in tested.items() if v.seen}, ours, lowest),
        "unseen": axes_and_decisions({k: v for k, v in tested.items() if not v.seen}, ours, lowest),
        "by_flaw": by_flaw(tested, ours["accept"], lowest),
        "guarantee": guarantee(folder, fitted, accepted, {one.source: one.part for one in attempts.values()}),
    }


def known_attempts(run: Run) -> dict[str, Attempt]:
    world = WorldStore(run.folder.world)
    found = {}
    for pair in measured_run(run, run.view()).pairs:
        assert pair.state.pair is not None
        triple = pair.state.pair
        settings = set()
        for image in (triple.source_image, triple.edited_image):
            picture = world.picture(image)
            assert picture is not None
            settings.add(picture.scene.setting)
        flaws = tuple((kind, strength) for kind, strength in pair.truth.flaws)
        seen = not ({kind for kind, _ in flaws} & UNSEEN_FLAWS or settings & UNSEEN_SETTINGS)
        axes = {"adherence": pair.truth.adherence, "aesthetics": pair.truth.aesthetics}
        found[triple.id] = Attempt(triple.source_image, pair.truth.good, axes, flaws, seen)
    sources = {attempt.source for attempt in found.values()}
    parts = {source: part_of(source, sources) for source in sources}
    return {id_: replace(attempt, part=parts[attempt.source]) for id_, attempt in found.items()}


def rate(attempts: Mapping[str, Attempt]) -> list[Rating]:
    truth = {id_: attempt.axes for id_, attempt in attempts.items()}
    return list(simulated_ratings(truth, raters=RATERS, per_pair=PER_PAIR, seed=0))  # type: ignore[arg-type]


def part_of(source: str, sources: Collection[str]) -> str:
    """Which part a source's ratings belong to: by the place of its hash among those of all sources."""
    own = identify("part of the pool", source)
    place = sum(identify("part of the pool", other) < own for other in sources) / len(sources)
    for part, share in PARTS.items():
        if place < share:
            return part
        place -= share
    return "measure"


def chosen_threshold(
    attempts: Mapping[str, Attempt], accept: Mapping[str, float], accepted: Mapping[str, bool]
) -> float:
    """On every seen attempt of `rate`, each for itself."""
    single = [
        Lane("forward", "all", one.source, (Candidate(id_, 0, float(accept[id_]), 0.0),))
        for id_, one in attempts.items()
        if one.seen and one.part == "rate" and id_ in accept
    ]
    rated = Rated.of(single, accepted, "uniform")
    for precision in CHOSEN:
        with suppress(UserError):
            return find_thresholds(rated, Goal(precision, CONFIDENCE)).lowest("all")
    return 0.5


def axes_and_decisions(
    tested: Mapping[str, Attempt], ours: Mapping[str, Mapping[str, float]], lowest: float
) -> dict[str, float | None]:
    if not tested:
        raise UserError("none of its attempts is left to measure on")
    good = np.array([attempt.good for attempt in tested.values()])
    accept = np.array([ours["accept"][id_] for id_ in tested])
    told: dict[str, float | None] = {}
    for axis in AXES:
        truth = np.array([attempt.axes[axis] for attempt in tested.values()])
        scores = np.array([ours[axis][id_] for id_ in tested])
        told[f"{axis}_rho"] = round(float(spearman(scores, truth)), 4)
        told[f"{axis}_mae"] = round(float(np.abs(scores - truth).mean()), 4)
    told["auc"] = round(float(auc(accept, good, np.ones((1, len(good))))[0]), 4)
    apart = np.array([attempt.part == "measure" for attempt in tested.values()])
    passed, good = (accept >= lowest)[apart], good[apart]
    told["precision"], told["recall"] = _share(good[passed]), _share(passed[good])
    return told


def _share(of: NDArray[np.bool_]) -> float | None:
    return round(float(of.mean()), 4) if len(of) else None


def by_flaw(tested: Mapping[str, Attempt], accept: Mapping[str, float], lowest: float) -> dict[str, Any]:
    """Bad attempts by their worst flaw: how many, what share is missed, AUC against all good attempts."""
    bad: dict[str, list[float]] = defaultdict(list)
    for id_, attempt in tested.items():
        if not attempt.good:
            bad[attempt.flaws[0][0] if attempt.flaws else "taste"].append(accept[id_])
    good = [accept[id_] for id_, attempt in tested.items() if attempt.good]
    told = {}
    for kind, scores in sorted(bad.items(), key=lambda item: -float(np.mean(np.array(item[1]) >= lowest))):
        both = np.array(good + scores)
        is_good = np.arange(len(both)) < len(good)
        told[kind] = {
            "n": len(scores),
            "missed": round(float((np.array(scores) >= lowest).mean()), 4),
            "auc": round(float(auc(both, is_good, np.ones((1, len(both))))[0]), 4),
            "unseen": kind in UNSEEN_FLAWS,
        }
    return told


def guarantee(
    folder: Path, fitted: Calibration, accepted: Mapping[str, bool], parts: Mapping[str, str]
) -> dict[str, Any]:
    """Thresholds from some of the rated sources at a time, and what they come to in `measure`."""
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "calibration.json"
        save_calibration(file, fitted)
        with open_run(folder, [f"calibration={file}", "accept=0"]) as run:
            found = list(lanes(run.plan, run.slots))
            policy = run.plan.recipe.policy
    rated = Rated.of([lane for lane in found if parts[lane.source] == "rate"], accepted, policy)
    pool = Rated.of([lane for lane in found if parts[lane.source] == "measure"], accepted, policy)
    best = max(
        (int(pool.known[place].sum()) for place in range(len(pool.picks.thresholds)) if kept(pool, place)),
        default=0,
    )
    sources = sorted({lane.source for lane in rated.lanes})
    rng = np.random.default_rng(0)
    violated, yields = 0, []
    for _ in range(RESAMPLES):
        drawn = set(rng.choice(sources, round(DRAWN * len(sources)), replace=False))
        weights = np.array([float(lane.source in drawn) for lane in rated.lanes])
        try:
            thresholds = find_thresholds(rated, GUARANTEED, weights)
        except UserError:  # nothing can be certified: nothing is accepted
            yields.append(0.0)
            continue
        picked = [
            (lane, lane.candidates[at])
            for lane, at in zip(pool.lanes, picks_at(pool, thresholds.lowest, policy), strict=True)
            if at != NOBODY
        ]
        good = [accepted[candidate.pair] for _, candidate in picked]
        violated += bool(good) and float(np.mean(good)) < GUARANTEED.precision
        yields.append(len(good))
    return {
        "target": GUARANTEED.precision,
        "confidence": GUARANTEED.confidence,
        "violated_share": round(violated / RESAMPLES, 4),
        "yield_over_oracle": round(float(np.mean(yields)) / best, 4) if best else None,
        "resamples": RESAMPLES,
    }


def kept(pool: Rated, place: int) -> bool:
    known = pool.known[place]
    return bool(known.any()) and float(pool.good[place][known].mean()) >= GUARANTEED.precision


def picks_at(pool: Rated, lowest: Any, policy: str) -> list[int]:
    """What each lane of the pool gives at the threshold of its group."""
    by_threshold: dict[float, Any] = {}
    out = []
    for row, lane in enumerate(pool.lanes):
        bar = lowest(lane.group)
        if bar not in by_threshold:
            by_threshold[bar] = picks(pool.lanes, np.array([bar]), policy).chosen[0]
        out.append(int(by_threshold[bar][row]))
    return out


if __name__ == "__main__":
    main()
