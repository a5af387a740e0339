"""From a recipe and a ledger to the slots that a miner works on: briefs or photographs, and what is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from triptych.ledger.queries import SceneFacts, briefs, call_histories, scene_facts
from triptych.ledger.store import Ledger
from triptych.mining.jobs import ImportJob, Opening, PairsBrought, WriteJob
from triptych.mining.slots import DUPLICATE, Slot
from triptych.mining.state import Plan, SceneState, brought_state, describe_job_id, scene_state, spent_reason
from triptych.recipe import Photographs, Recipe
from triptych.records import Brief, Json, brief_id
from triptych.roles import SceneRequest

_MOST_OBJECTS = 5  # a fifth of the scenes each name 1, 2, 3, 4, 5 objects (the paper's choice)


def write_job(recipe: Recipe, ordinal: int) -> WriteJob:
    """The ordinal-th brief: the same however many scenes the recipe asks for."""
    seed, objects, wanted = recipe.seed * 1_000_000 + ordinal, 1 + ordinal % _MOST_OBJECTS, recipe.brief
    guide = wanted.guide(seed)
    request = SceneRequest(
        seed=seed,
        objects=objects,
        edits=recipe.edits_per_scene,
        categories=recipe.categories or wanted.drawn(recipe.edits_per_scene, objects, seed),
        topic=wanted.topic(ordinal),
        style=wanted.style(ordinal),
        guide=guide,
    )
    asked: dict[str, Json] = {
        "seed": request.seed,
        "objects": request.objects,
        "edits": request.edits,
        "categories": list(request.categories),
        "topic": request.topic,
    }
    asked |= {"style": request.style} if request.style else {}
    asked |= wanted.asked(guide)
    return WriteJob(brief_id(recipe.seed, ordinal, asked), ordinal, asked, request)


def photograph_jobs(
    recipe: Recipe, photographs: Photographs, known: Mapping[str, Brief], *, read_folder: bool
) -> list[ImportJob]:
    """One job for each photograph that the run has or, reading its folder, shall have, by name.

    A file whose name, size or time of change is new is read again; what it shows decides if it is a new one.
    """
    wanted: dict[str, Json] = {"fit": photographs.fit, "megapixels": recipe.megapixels}
    asked = [
        dict(brief.asked)
        for brief in known.values()
        if "photograph" in brief.asked and all(brief.asked.get(key) == wanted[key] for key in wanted)
    ]
    paths: dict[str, Path] = {}  # by the name in the brief, which may stand for odd bytes
    for path in _files(photographs.folder) if read_folder else ():
        facts = _file_facts(path, photographs) | wanted
        paths[str(facts["photograph"])] = path
        if facts not in asked:
            asked.append(facts)
    asked.sort(key=lambda facts: (str(facts["photograph"]), str(facts["modified_ns"])))
    jobs = []
    for ordinal, facts in enumerate(asked):
        name = str(facts["photograph"])
        path = paths.get(name, photographs.folder / name)
        shape = photographs.fit, recipe.megapixels, photographs.largest_megapixels
        jobs.append(ImportJob(brief_id(0, 0, facts), ordinal, facts, path, *shape))
    return jobs


def _files(folder: Path) -> list[Path]:
    from triptych.pixels.photographs import find_photographs

    return find_photographs(folder)


def _file_facts(path: Path, photographs: Photographs) -> dict[str, Json]:
    stat = path.stat()
    # A name that is no UTF-8 keeps its odd bytes as escapes: readable, and no database objects.
    name = path.relative_to(photographs.folder).as_posix().encode("utf-8", "backslashreplace").decode()
    return {"photograph": name, "bytes": stat.st_size, "modified_ns": stat.st_mtime_ns}


def load_slots(
    plan: Plan, ledger: Ledger, gone: frozenset[str] = frozenset(), *, read_folder: bool = False
) -> list[Slot]:
    """Every scene that the recipe asks for, with what the ledger knows of it.

    `gone` are images that facts name but that are no longer stored: what they came from is owed again.
    `read_folder`: look for new photographs too; else the run is what its facts say.
    """
    known = briefs(ledger)
    shard = plan.recipe.shard
    slots = [
        Slot(job.ordinal, job)
        for job in openings(plan.recipe, known, read_folder=read_folder)
        if shard is None or shard.holds(job.id)
    ]
    by_scene: dict[str, Slot] = {}
    for slot in slots:
        brief = known.get(slot.opening.id)
        if brief is not None and by_scene.setdefault(brief.scene_id, slot) is not slot:
            slot.spent = DUPLICATE
    for facts in scene_facts(ledger, list(by_scene)):
        slot = by_scene[facts.scene.id]
        slot.state = state_of(plan, slot.opening, facts, known, gone)
    unopened = [slot for slot in slots if slot.state is None and slot.spent is None]
    histories = call_histories(ledger, [slot.opening.id for slot in unopened])
    for slot in unopened:
        slot.history = histories.get(slot.opening.id)
        slot.spent = spent_reason(plan, slot.history)
    return slots


def openings(recipe: Recipe, known: Mapping[str, Brief], *, read_folder: bool) -> list[Opening]:
    """What opens the scenes of a run: the recipe's briefs or photographs, then pairs that imports brought."""
    opened: list[Opening] = []
    if recipe.photographs is not None:
        opened += photograph_jobs(recipe, recipe.photographs, known, read_folder=read_folder)
    else:
        opened += [write_job(recipe, number) for number in range(recipe.scenes)]
    brought = sorted((brief for brief in known.values() if _is_import(brief)), key=lambda brief: brief.id)
    scenes: set[str] = set()
    for brief in brought:
        if brief.scene_id not in scenes:  # two data sets may show the same source: its pairs are together
            scenes.add(brief.scene_id)
            opened.append(PairsBrought(brief.id, len(opened), str(brief.asked["imported"])))
    return opened


def _is_import(brief: Brief) -> bool:
    return "imported" in brief.asked


def state_of(
    plan: Plan,
    opening: Opening,
    facts: SceneFacts,
    known: Mapping[str, Brief],
    gone: frozenset[str] = frozenset(),
) -> SceneState | None:
    """A scene laid out by the plan; None for a photograph that is to be imported again."""
    if facts.scene.origin == "written":
        return scene_state(plan, opening.ordinal, facts, known[opening.id].edits, gone)
    if facts.scene.origin == "imported":
        return brought_state(plan, opening.ordinal, facts, gone)
    current = [source for source in facts.sources if source.spec_id == plan.spec_id("importer")]
    if not current or any(source.image in gone for source in current):
        return None  # it is imported again, and then finds these facts
    return photograph_state(plan, opening.ordinal, facts, known.get(describe_job_id(facts.scene, plan)), gone)


def photograph_state(
    plan: Plan, ordinal: int, facts: SceneFacts, description: Brief | None, gone: frozenset[str]
) -> SceneState:
    """State of an imported photograph; without a description it wants one, unless its writer gave up."""
    state = scene_state(plan, ordinal, facts, description.edits if description else (), gone)
    if description is None:
        reason = spent_reason(plan, state.calls.get(describe_job_id(facts.scene, plan)))
        for source in state.sources:
            source.spent = reason
    return state


def scene_reader(plan: Plan, ledger: Ledger) -> Callable[[str], tuple[SceneFacts, Brief | None] | None]:
    """A look-up of what the ledger knows of a scene and of its description, for scenes that turn up again."""

    def read(scene_id: str) -> tuple[SceneFacts, Brief | None] | None:
        facts = next(scene_facts(ledger, [scene_id]), None)
        if facts is None:
            return None
        description = None
        if facts.scene.origin == "photograph":
            description = briefs(ledger).get(describe_job_id(facts.scene, plan))
        return facts, description

    return read
