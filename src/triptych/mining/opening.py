"""From a recipe and a ledger to the slots that a miner works on: briefs or photographs, and what is known."""

from __future__ import annotations

from pathlib import Path

from triptych.ledger.queries import SceneFacts, briefs, call_histories, scene_facts
from triptych.ledger.store import Ledger
from triptych.mining.jobs import ImportJob, WriteJob
from triptych.mining.schedule import DUPLICATE, Slot
from triptych.mining.state import Plan, SceneState, describe_job_id, scene_state, spent_reason
from triptych.pixels.photographs import find_photographs
from triptych.recipe import Photographs, Recipe
from triptych.records import Json, brief_id
from triptych.roles import SceneRequest

_MOST_OBJECTS = 5  # a fifth of the scenes each name 1, 2, 3, 4, 5 objects (the paper's choice)


def openings(recipe: Recipe) -> list[WriteJob] | list[ImportJob]:
    """What the run begins with, in order: its briefs, or the photographs of its folder."""
    if recipe.photographs is not None:
        return photograph_jobs(recipe, recipe.photographs)
    return [write_job(recipe, ordinal) for ordinal in range(recipe.scenes)]


def write_job(recipe: Recipe, ordinal: int) -> WriteJob:
    """The ordinal-th brief: the same however many scenes the recipe asks for."""
    request = SceneRequest(
        seed=recipe.seed * 1_000_000 + ordinal,
        objects=1 + ordinal % _MOST_OBJECTS,
        edits=recipe.edits_per_scene,
        categories=recipe.categories,
        topic=recipe.topics[ordinal % len(recipe.topics)] if recipe.topics else None,
    )
    asked: dict[str, Json] = {
        "seed": request.seed,
        "objects": request.objects,
        "edits": request.edits,
        "categories": list(request.categories),
        "topic": request.topic,
    }
    return WriteJob(brief_id(recipe.seed, ordinal, asked), ordinal, asked, request)


def photograph_jobs(recipe: Recipe, photographs: Photographs) -> list[ImportJob]:
    """One job for each file of the folder. A file counts as new when its name, size or time changes."""
    jobs = []
    for ordinal, path in enumerate(find_photographs(photographs.folder)):
        asked = _file_facts(path, photographs)
        asked |= {"fit": photographs.fit, "megapixels": recipe.megapixels}
        jobs.append(
            ImportJob(
                brief_id(0, 0, asked),
                ordinal,
                asked,
                path,
                photographs.fit,
                recipe.megapixels,
                photographs.largest_megapixels,
            )
        )
    return jobs


def _file_facts(path: Path, photographs: Photographs) -> dict[str, Json]:
    stat = path.stat()
    name = path.relative_to(photographs.folder).as_posix()
    return {"photograph": name, "bytes": stat.st_size, "modified_ns": stat.st_mtime_ns}


def load_slots(plan: Plan, ledger: Ledger, gone: frozenset[str] = frozenset()) -> list[Slot]:
    """Every scene that the recipe asks for, with what the ledger knows of it.

    `gone` are images that facts name but that are no longer stored: what they came from is owed again.
    """
    slots = [Slot(job.ordinal, job) for job in openings(plan.recipe)]
    written = briefs(ledger)
    by_scene: dict[str, Slot] = {}
    for slot in slots:
        scene = written.get(slot.opening.id)
        if scene is None:
            continue
        if scene in by_scene:
            slot.spent = DUPLICATE
        by_scene.setdefault(scene, slot)
    for facts in scene_facts(ledger, list(by_scene)):
        _fill(plan, by_scene[facts.scene.id], facts, gone)
    unopened = [slot for slot in slots if slot.state is None and slot.spent is None and slot.known is None]
    histories = call_histories(ledger, [slot.opening.id for slot in unopened])
    for slot in unopened:
        slot.spent = spent_reason(plan, histories.get(slot.opening.id))
    return slots


def _fill(plan: Plan, slot: Slot, facts: SceneFacts, gone: frozenset[str]) -> None:
    if facts.scene.origin == "photograph" and any(source.image in gone for source in facts.sources):
        slot.known = facts
        return
    state = scene_state(plan, slot.ordinal, facts, gone)
    if facts.scene.origin == "photograph" and not facts.edits:
        _close_undescribed(plan, state)
    slot.state = state


def _close_undescribed(plan: Plan, state: SceneState) -> None:
    """A photograph that the writer has nothing to say of stays without edits."""
    reason = spent_reason(plan, state.calls.get(describe_job_id(state.scene.id, plan)))
    for source in state.sources:
        source.spent = reason
