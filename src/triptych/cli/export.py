"""`triptych export`: the selected triplets of one run or several as a data set."""

from __future__ import annotations

import asyncio
import difflib
import sys
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import orjson

from triptych.datasets.agreement import judge_agreement
from triptych.datasets.dataset import DataSet, ExportReport, Origin, in_order
from triptych.datasets.files import SAMPLED
from triptych.datasets.images import Images, MarkedImages, SeveralStores
from triptych.datasets.layout import Layout
from triptych.datasets.layouts import FORMATS
from triptych.datasets.licences import restricting
from triptych.datasets.narrowing import best_of_each_source, matching, without_benchmark
from triptych.datasets.splits import parse_splits, split_by_cluster
from triptych.datasets.staging import refuse_unless_free
from triptych.datasets.where import parse_condition, values_of
from triptych.engines.loading import load_backend
from triptych.errors import CallFailed, UserError
from triptych.ledger.queries import findings, ratings, terms
from triptych.mining.jobs import PairsBrought
from triptych.mining.select import RejectedPair, RunView, Triplet
from triptych.roles import Embedder, EmbedRequest, Metered, RoleConfig
from triptych.runs import Run, open_run
from triptych.validator.rule import Scores
from triptych.validator.spot_check import sample_order, spot_check, stratum
from triptych.wiring import SHIPPED


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What leaves triplets out, and how the others are divided; in this order."""

    where: Sequence[str] = ()
    decontaminate: Path | None = None
    cap_per_source: int | None = None
    limit: int | None = None
    split: str | None = None
    split_seed: int = 0


def export(
    paths: Sequence[Path],
    layout: str,
    to: Path,
    overrides: Sequence[str],
    narrowing: Narrowing,
    *,
    mark: bool = True,
    licence: str | None = None,
    acknowledged: bool = False,
    people: bool = False,
    precision: float | None = None,
    json: bool = False,
) -> int:
    """Write a data set. UserError for a format it doesn't know and a folder that can't be used.

    `precision`: the lowest bound of a spot check by people at which it is written.
    """
    chosen = _layout(layout)
    refuse_unless_free(to)
    with ExitStack() as stack:
        runs = [stack.enter_context(open_run(path, overrides, people=people)) for path in paths]
        images: Images = SeveralStores([run.images for run in runs])
        data = _gathered(runs, paths, people=people)
        _check_licences(data, acknowledged=acknowledged)
        data = replace(_narrowed(data, narrowing, images), licence=licence)
        data = _spot_checked(data, runs, precision)
        if mark:
            images = MarkedImages(images, data.photographs)
            made = "XMP DigitalSourceType=trainedAlgorithmicMedia in every picture that a model made here"
        else:
            made = "the pictures carry no mark"
        data = replace(data, chosen={**data.chosen, "marked as generated": made})
        report = chosen(data, to, images)
    _tell(data, report, json=json)
    return 0


def _spot_checked(data: DataSet, runs: Iterable[Run], required: float | None) -> DataSet:
    """The data set with what people found in it on its card. UserError below the precision required."""
    found = [finding for run in runs for finding in findings(run.ledger)]
    if not found and required is None:
        return data
    check = spot_check(sample_order({t.id: stratum(t.kind, t.category) for t in data.triplets}), found)
    if required is not None and (check.lowest is None or not check.finished or check.lowest < required):
        raise UserError(
            f"--require-precision {required:g}: {check}; `triptych review RUN --audit {check.planned or 300}`"
            " is where people look, --set threshold=… makes a stricter selection"
        )
    return replace(data, chosen={**data.chosen, "spot check by people": str(check)}) if check.looked else data


def _layout(name: str) -> Layout:
    if name not in FORMATS:
        near = difflib.get_close_matches(name, FORMATS, n=1)
        mend = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(FORMATS)}"
        raise UserError(f"no format is called {name!r}; {mend}")
    layout = FORMATS[name]
    if layout.needs is not None:
        layout.needs()
    return layout


def _gathered(runs: Sequence[Run], paths: Sequence[Path], *, people: bool) -> DataSet:
    """The triplets of all runs; one that several runs have comes from the first of them."""
    triplets: dict[str, Triplet] = {}
    origins: list[Origin] = []
    rejected: list[RejectedPair] = []
    repeated = 0
    for run in runs:
        view, stopped = run.view(), list(run.rejected())
        rejected += stopped
        for triplet in in_order(view.triplets):
            repeated += triplet.id in triplets
            triplets.setdefault(triplet.id, triplet)
        agreement = judge_agreement(ratings(run.ledger), _validator_scores(run, view, stopped))
        origins.append(Origin(run.plan.recipe, run.plan.specs, _funnel(view), terms(run.ledger), agreement))
    if not triplets:
        told = ", ".join(map(str, paths))
        raise UserError(f"{told}: no selected triplet under this rule: mine more, or try --set threshold=…")
    notes: dict[str, str] = {}
    if len(runs) > 1:
        notes["runs merged"] = f"{len(runs)}; {repeated:,} triplets were in more than one: the first has them"
    said = {pair: one for run in runs for pair, one in run.plan.people.items()}
    if people:
        good = sum(one.good for one in said.values())
        notes["people's ratings overrule the judges"] = f"{good:,} pairs taken, {len(said) - good:,} left out"
    if names := _data_sets(runs):
        notes["with imported pairs of"] = names
    return DataSet(
        "-".join(dict.fromkeys(origin.recipe.name for origin in origins)),
        list(triplets.values()),
        origins,
        rejected,
        frozenset(_not_ours(runs)),
        chosen=notes,
    )


def _funnel(view: RunView) -> dict[str, int]:
    """The run's funnel down to what leaves it, with what was derived, where anything was."""
    derived = {
        f"{kind}_kept": counts.kept
        for kind, counts in view.kinds.items()
        if kind != "forward" and counts.made
    }
    if not derived:
        return view.funnel
    forward = {"consistent_backward": view.kinds["forward"].kept}
    return view.funnel | forward | derived | {"triplets": len(view.triplets)}


def _validator_scores(run: Run, view: RunView, stopped: Iterable[RejectedPair]) -> dict[str, Scores]:
    """What the validator gave each pair; nothing where people's own scores stand in its place."""
    if run.plan.people:
        return {}
    scores = {pair.id: pair.scores for pair in stopped if pair.scores is not None}
    return scores | {one.id: one.scores for one in (*view.triplets, *view.dropped)}


def _not_ours(runs: Iterable[Run]) -> Iterable[str]:
    """Images that no model of these runs made, whatever place they have in a triplet: they get no mark."""
    for run in runs:
        for slot in run.slots:
            if slot.state is None or slot.state.scene.origin == "written":
                continue
            for source in slot.state.sources:
                if source.source is not None:
                    yield source.source.image
                for lane in source.lanes if slot.state.scene.origin == "imported" else ():
                    yield from (made.attempt.image for made in lane.attempts if made.attempt is not None)


def _data_sets(runs: Iterable[Run]) -> str:
    """Names of the data sets that imports brought."""
    openings = (slot.opening for run in runs for slot in run.slots)
    return ", ".join(sorted({one.name for one in openings if isinstance(one, PairsBrought)}))


def _check_licences(data: DataSet, *, acknowledged: bool) -> None:
    limits = restricting(data.origins)
    if limits and not acknowledged:
        raise UserError(
            f"outputs of {', '.join(limits)} may not train a competing model:"
            " --acknowledge-licence exports them all the same, and the card says so"
        )


def _narrowed(data: DataSet, narrowing: Narrowing, images: Images) -> DataSet:
    triplets = list(data.triplets)
    notes = dict(data.chosen)
    for text in narrowing.where:
        kept = matching(triplets, [parse_condition(text)])
        notes[f"only {text}"] = f"{len(kept):,} of {len(triplets):,} kept"
        if not kept:
            raise UserError(f"--where {text} leaves nothing; there is {values_of(triplets)}")
        triplets = kept
    if narrowing.decontaminate is not None:
        found = without_benchmark(triplets, narrowing.decontaminate, images, lexical_vectors)
        benchmark = narrowing.decontaminate.resolve().name
        unreadable = f", {found.unreadable:,} unreadable" if found.unreadable else ""
        notes[f"near-duplicates of {benchmark} (perceptual hash)"] = (
            f"{found.removed:,} triplets removed; {found.benchmark_images:,} pictures compared{unreadable}"
        )
        notes[f"instructions of {benchmark} (text embedding)"] = (
            f"{found.removed_by_text:,} triplets removed; {found.benchmark_texts:,} instructions compared"
        )
        triplets = found.triplets
        if not triplets:
            raise UserError(
                f"every triplet shows a picture or says an instruction of {narrowing.decontaminate}: nothing"
                " to export"
            )
    if narrowing.cap_per_source is not None:
        kept = best_of_each_source(triplets, narrowing.cap_per_source)
        notes[f"at most {narrowing.cap_per_source} of a source"] = f"{len(kept):,} of {len(triplets):,} kept"
        triplets = kept
    if narrowing.limit is not None and narrowing.limit < len(triplets):
        notes[f"at most {narrowing.limit}, by id"] = f"of {len(triplets):,}"
        triplets = in_order(triplets)[: narrowing.limit]
    splits: dict[str, str] = {}
    if narrowing.split is not None:
        shares = parse_splits(narrowing.split)
        splits, clusters = split_by_cluster(triplets, shares, narrowing.split_seed, images)
        notes["split by scene and near-duplicates"] = f"{clusters:,} clusters, seed {narrowing.split_seed}"
    return replace(data, triplets=triplets, chosen=notes, splits=splits)


def lexical_vectors(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Vectors of the embedded embedder: it tells near-duplicates, which is what is asked for here."""
    target = SHIPPED["embedder"]["lexical"]
    embedder: Embedder = load_backend(RoleConfig("embedder", target, {}))  # type: ignore[assignment]
    answers = asyncio.run(embedder.embed([EmbedRequest(text) for text in texts]))
    vectors = [one.answer if isinstance(one, Metered) else one for one in answers]
    return np.stack([one for one in vectors if not isinstance(one, CallFailed)])


def _tell(data: DataSet, report: ExportReport, *, json: bool) -> None:
    if json:
        told = {
            "folder": str(report.folder),
            "triplets": report.triplets,
            "images": report.images,
            "bytes": report.bytes,
            "dataset_hash": report.dataset_hash,
            "read_back": True,  # an export that isn't equal fails
            "chosen": dict(data.chosen),
        }
        sys.stdout.write(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode() + "\n")
        return
    for what, result in data.chosen.items():
        print(f"{what}: {result}")
    size = f"{report.images:,} pictures, {report.bytes / 1e6:,.1f} MB"
    print(f"{report.triplets:,} triplets ({size}) in {report.folder}; data set {report.dataset_hash}")
    print(
        f"read back: all {report.triplets:,}; ids and instructions are the ledger's, and pictures hash to"
        f" their names (files of their own: as they were written, and every {SAMPLED}th read again)"
    )
