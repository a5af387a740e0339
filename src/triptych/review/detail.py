"""One pair with all that is known of it, read from the ledger when it is opened."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from triptych.datasets.gallery.page import reason_in_words
from triptych.ledger.queries import calls_of_scene, specs
from triptych.mining.state import SceneState
from triptych.records import Call, Json, Spec, judge_job_id
from triptych.review.index import Table, plain
from triptych.review.live import LiveRun
from triptych.review.overview import reason_words
from triptych.review.rows import Row


def detail(run: LiveRun, id_: str) -> dict[str, Json] | None:
    """The row of this id in full; None where there is none."""
    return next(details(run, [id_]), None)


def details(run: LiveRun, ids: Iterable[str]) -> Iterator[dict[str, Json]]:
    """Rows in full, scene by scene; ids that there are no rows of are passed over."""
    table = run.table
    by_scene: dict[str, list[int]] = defaultdict(list)
    for id_ in ids:
        if id_ in table.by_id:
            by_scene[table.rows[table.by_id[id_]].scene].append(table.by_id[id_])
    known = specs(run.ledger)
    for slot in run.reader.read(by_scene):
        if slot.state is not None:
            calls = calls_of_scene(run.ledger, slot.state.scene.id)
            for place in by_scene[slot.state.scene.id]:
                yield _told(run, slot.state, place, calls, known)


def _told(
    run: LiveRun, scene: SceneState, place: int, calls: Sequence[Call], known: Mapping[str, Spec]
) -> dict[str, Json]:
    table = run.table
    row = table.rows[place]
    beside = _of_scene(table, place)
    lane = [other for other in beside if row.lane and table.rows[other].lane == row.lane]
    return plain(table, [place])[0] | {
        "scene": row.scene,
        "prompt": row.prompt or None,
        "reason_words": reason_words(row.reason) if row.reason else None,
        "attempts": [_tried(scene, table.rows[other], item) for other, item in _with_items(table, lane)],
        "verdicts": _verdicts(scene, row, known),
        "signals": _signals(scene, row),
        "wordings": _wordings(scene, row),
        "lineage": [_node(table.rows[other], item) for other, item in _with_items(table, beside)],
        "made_by": _made_by(scene, row, known),
        "cost": _cost(calls, row, known),
    }


def _of_scene(table: Table, place: int) -> range:
    """Places of all rows of a row's scene: they lie side by side."""
    scene = table.rows[place].scene
    first, last = place, place + 1
    while first and table.rows[first - 1].scene == scene:
        first -= 1
    while last < len(table.rows) and table.rows[last].scene == scene:
        last += 1
    return range(first, last)


def _with_items(table: Table, places: Iterable[int]) -> Iterable[tuple[int, dict[str, Json]]]:
    some = list(places)
    return zip(some, plain(table, some), strict=True)


def _tried(scene: SceneState, row: Row, item: dict[str, Json]) -> dict[str, Json]:
    tried = (attempt for some in scene.facts.attempts.values() for attempt in some)
    seeds = {attempt.id: attempt.seed for attempt in tried}
    words = reason_words(row.reason) if row.reason else None
    return item | {"seed": seeds.get(row.attempt), "reason_words": words}


def _node(row: Row, item: dict[str, Json]) -> dict[str, Json]:
    wanted = ("id", "kind", "source", "edited", "instruction", "stage", "reason", "score")
    return {name: item[name] for name in wanted} | {"parents": list(row.parents), "lane": row.lane}


def _verdicts(scene: SceneState, row: Row, known: Mapping[str, Spec]) -> list[Json]:
    """Every judge's answers about the pair (a source: about its picture), in its own words too."""
    subject = row.source_image if row.kind in ("source", "scene") else row.id
    told: list[Json] = []
    for (spec, question), verdict in sorted(scene.facts.verdicts.get(subject, {}).items()):
        by = known.get(spec)
        told.append(
            {
                "judge": by.role if by else spec,
                "backend": by.backend if by else None,
                "question": question,
                "value": verdict.value,
                "reason": reason_in_words(verdict.reason) if verdict.reason else None,
                "raw": verdict.raw,
            }
        )
    return told


def _signals(scene: SceneState, row: Row) -> dict[str, Json]:
    return {
        name: value
        for by_name in scene.facts.signals.get(row.id, {}).values()
        for name, value in sorted(by_name.items())
    }


def _wordings(scene: SceneState, row: Row) -> list[Json]:
    """Other texts about the same edit: its inverse, paraphrases, whatever else a Writer derived from it."""
    edits = {
        edit.id: edit.instruction
        for edit in scene.edits
        if row.lane.endswith(f":{edit.id}") or edit.instruction == row.instruction
    }
    derived: list[Json] = [
        {"kind": phrase.kind, "instruction": phrase.instruction}
        for phrase in scene.facts.phrases
        if phrase.edit_id in edits and phrase.other_id is None and phrase.instruction != row.instruction
    ]
    return derived + [
        {"kind": "paraphrase", "instruction": other.text}
        for other in scene.facts.paraphrases
        if other.instruction == row.instruction
    ]


def _made_by(scene: SceneState, row: Row, known: Mapping[str, Spec]) -> list[Json]:
    """The models and seeds behind its pictures."""
    pictures = [
        _maker("source picture", known.get(source.spec_id), source.seed)
        for source in scene.facts.sources
        if source.image in (row.source_image, row.edited_image)
    ]
    edits = [
        _maker("edited picture", known.get(attempt.spec_id), attempt.seed)
        for attempts in scene.facts.attempts.values()
        for attempt in attempts
        if attempt.id == row.attempt or (not row.attempt and attempt.pair_id in row.parents)
    ]
    return pictures + edits


def _maker(what: str, spec: Spec | None, seed: int) -> Json:
    settings: dict[str, Json] = dict(spec.settings) if spec else {}
    return {
        "what": what,
        "role": spec.role if spec else None,
        "backend": spec.backend if spec else None,
        "revision": spec.revision if spec else None,
        "settings": settings,
        "seed": seed,
    }


def _cost(calls: Iterable[Call], row: Row, known: Mapping[str, Spec]) -> list[Json]:
    """What the calls for this very pair (or source) cost, failed ones too."""
    subject = row.source_image if row.kind in ("source", "scene") else row.id
    jobs = {row.attempt, row.id} | {judge_job_id(subject, spec) for spec in known}
    return [
        {
            "role": call.role,
            "number": call.number,
            "outcome": call.outcome,
            "reason": call.reason,
            "seconds": round(call.seconds, 3),
            "price": call.price,
        }
        for call in calls
        if call.job_id in jobs
    ]
