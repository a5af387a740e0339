"""`triptych merge`: unite runs of one recipe, e.g. the shards of several machines."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import orjson

from triptych.errors import RunError
from triptych.ledger.merge import merge_facts, merge_pictures
from triptych.ledger.run import RunFolder
from triptych.recipe import Budget, Recipe, dump_recipe
from triptych.runs import recipe_of


def merge(paths: Sequence[Path], to: Path, *, json: bool = False) -> int:
    """Unite the runs in the folder `to`. RunError where they were mined by different recipes."""
    folders = [RunFolder.existing(path) for path in paths]
    if any(path.resolve() == to.resolve() for path in paths):
        raise RunError(f"{to} is one of the runs to merge: give --to a folder of its own")
    recipe = _united([(folder.path, recipe_of(folder)) for folder in folders])
    target = RunFolder.create(to)
    pictures = 0
    with target.held_for_mining(), target.open_ledger() as ledger:
        target.report_due.touch()
        for folder in folders:
            with folder.open_ledger(read_only=True) as facts:
                # Pictures first, as when they are made: a fact never names one that isn't there yet.
                pictures += merge_pictures(folder, facts, target)
                _merge_world(folder, target)
                merge_facts(facts, ledger)
            target.add_to_lock(folder.read_lock())
        if not target.recipe.exists():
            target.recipe.write_text(dump_recipe(recipe), encoding="utf-8")
    told: dict[str, object] = {"runs": len(folders), "pictures": pictures, "to": str(to)}
    if json:
        sys.stdout.write(orjson.dumps(told).decode() + "\n")
    else:
        print(f"{to}: {len(folders)} runs united, {pictures:,} pictures new")
    return 0


def _united(recipes: Sequence[tuple[Path, Recipe]]) -> Recipe:
    """The recipe of the whole: what all parts share, with their budgets added up."""
    first_path, first = recipes[0]
    for path, recipe in recipes[1:]:
        values, others = (each.model_dump(exclude={"shard", "budget"}) for each in (first, recipe))
        differ = [key for key in values if values[key] != others[key]]
        if differ:
            raise RunError(
                f"{path} was mined by another recipe than {first_path} ({', '.join(differ)}):"
                " merge runs of one recipe"
            )
    budgets = [recipe.budget for _, recipe in recipes]
    parts = {recipe.shard.index if recipe.shard else 0 for _, recipe in recipes}
    whole = first.budget if len(parts) < len(recipes) or parts == {0} else _sum(budgets)
    return first.model_copy(update={"shard": None, "budget": whole})


def _sum(budgets: Sequence[Budget]) -> Budget:
    calls = {role: sum(each.calls.get(role, 0) for each in budgets) for role in budgets[0].calls}
    seconds = [each.model_seconds for each in budgets if each.model_seconds is not None]
    return budgets[0].model_copy(update={"calls": calls, "model_seconds": sum(seconds) if seconds else None})


def _merge_world(source: RunFolder, target: RunFolder) -> None:
    """What the studio knows of its own pictures, where a run has it: the truth report reads it."""
    if source.world.exists():
        from triptych.backends.studio.world import WorldStore

        WorldStore(target.world).absorb(source.world)
