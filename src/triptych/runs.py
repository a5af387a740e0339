"""The public way in from Python: open a run, look at it under any rule, mine it.

from pathlib import Path
from triptych.recipe import load_recipe
from triptych.runs import mine, open_run

if __name__ == "__main__":  # workers import the script that started them
    mine(load_recipe(Path("recipes/quickstart.yaml")), Path("runs/mine"))
    with open_run(Path("runs/mine"), ["threshold=4.5"]) as run:
        for triplet in run.view().triplets:
            print(triplet.instruction, run.images.path(triplet.edited_image))
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from triptych.errors import RunError, WorkFailed
from triptych.ledger.images import ImageStore
from triptych.ledger.queries import canary_facts, costs, ratings, spent
from triptych.ledger.run import RunFolder
from triptych.ledger.store import Ledger
from triptych.ledger.verify import lost_images
from triptych.mining.distinct import DistinctScenes
from triptych.mining.events import Event, Observer
from triptych.mining.keeping import superfluous, wanted_again
from triptych.mining.opening import load_slots, scene_reader
from triptych.mining.schedule import Spending, count_owed
from triptych.mining.select import RejectedPair, RunView, rejected_pairs, view_of
from triptych.mining.slots import Slot
from triptych.mining.state import Plan
from triptych.recipe import Recipe, dump_recipe, parse_recipe
from triptych.records import RoleName
from triptych.roles import RoleConfig
from triptych.validator.people import people_say
from triptych.wiring import plan_of, role_configs

if TYPE_CHECKING:  # who only looks at a run loads no engine
    from triptych.engines.local import LocalEngine
    from triptych.mining.miner import Miner


@dataclass(frozen=True, slots=True)
class Run:
    """An open run: its facts laid out under one recipe and its rule."""

    folder: RunFolder
    plan: Plan
    configs: Mapping[RoleName, RoleConfig]
    ledger: Ledger
    slots: list[Slot] = field(repr=False)  # asyncio shows the result of its main task: all facts, in words
    gone: frozenset[str] = frozenset()  # pictures that facts name and that have to be made again

    @property
    def images(self) -> ImageStore:
        """Where the pictures are, by their hash."""
        return self.folder.image_store(self.plan.recipe.durability)

    def view(self) -> RunView:
        """Funnel, rejections and selected triplets; no call, no image."""
        return view_of(self.plan, self.slots)

    def rejected(self) -> Iterator[RejectedPair]:
        """Every attempt and derived pair that a gate stopped, and whose picture the run keeps."""
        dropped = self.images.dropped()
        return (pair for pair in rejected_pairs(self.plan, self.slots) if pair.edited_image not in dropped)

    def drop_superfluous(self) -> None:
        """Remove the pictures of rejected attempts that the recipe doesn't keep."""
        images = superfluous(self.plan, self.slots)
        self.images.drop(images - self.images.dropped())

    def owed(self) -> Mapping[str, int]:
        """Calls owed by what is known now, by kind."""
        return {name: count for name, count in count_owed(self.plan, self.slots).items() if count}


class Stopper:
    """Ends a mining from outside: after the calls in flight, or at once. Either way it can go on later."""

    def __init__(self, miner: Miner, engine: LocalEngine, task: asyncio.Task[object]) -> None:
        self._miner = miner
        self._engine = engine
        self._task = task
        self.killed = False

    @property
    def draining(self) -> bool:
        """Whether it was asked to end."""
        return self._miner.stopped

    def drain(self) -> None:
        """Finish the calls in flight, begin no more."""
        self._miner.stop()

    def kill(self) -> None:
        """Drop the calls in flight; they are owed."""
        if self.killed:
            return
        self.killed = True
        self._engine.kill()
        self._task.cancel()


@dataclass(frozen=True, slots=True)
class Mined:
    """How a mining ended."""

    run: Run
    stopped: bool  # from outside
    ended_at: str | None  # the cap of the budget that ended it


@contextmanager
def open_run(path: Path, overrides: Iterable[str] = (), *, people: bool = False) -> Iterator[Run]:
    """Open a run to look at, under its own recipe changed by `overrides` (`key=value`).

    `people`: their ratings overrule the gates.
    """
    folder, plan = plan_for(path, overrides)
    configs = role_configs(plan.recipe, folder.path)
    with folder.open_ledger(read_only=True) as ledger:
        if people:
            plan = replace(plan, people=people_say(ratings(ledger)))
        yield Run(folder, plan, configs, ledger, load_slots(plan, ledger))


def plan_for(path: Path, overrides: Iterable[str] = ()) -> tuple[RunFolder, Plan]:
    """The run in a folder, and its recipe changed by `overrides` with the specs of its back ends."""
    folder = RunFolder.existing(path)
    recipe = recipe_of(folder, overrides)
    return folder, plan_of(recipe, role_configs(recipe, folder.path))


@contextmanager
def open_for_mining(recipe: Recipe, path: Path) -> Iterator[Run]:
    """Open or begin a run and keep other miners out; lost pictures are owed again."""
    folder = RunFolder.create(path)
    configs = role_configs(recipe, folder.path)
    plan = plan_of(recipe, configs)
    with folder.held_for_mining(), folder.open_ledger(durability=recipe.durability) as ledger:
        ledger.record(plan.specs.values())
        folder.image_store().sweep()
        slots, gone = _laid_out(folder, plan, ledger)
        yield Run(folder, plan, configs, ledger, slots, gone)


def _laid_out(folder: RunFolder, plan: Plan, ledger: Ledger) -> tuple[list[Slot], frozenset[str]]:
    """Every scene with what is known of it, and the pictures that have to be made again."""
    gone = lost_images(folder, ledger)
    slots = load_slots(plan, ledger, gone, read_folder=True)
    dropped = folder.image_store().dropped()
    again = wanted_again(plan, slots, dropped) if dropped else frozenset()
    if again:
        gone |= again
        slots = load_slots(plan, ledger, gone, read_folder=True)
    return slots, gone


def owed_by(recipe: Recipe, path: Path) -> Mapping[str, int]:
    """Calls that `mine` would owe, by kind; writes nothing."""
    if not RunFolder(path).ledger.is_file():
        with TemporaryDirectory() as nowhere, open_for_mining(recipe, Path(nowhere)) as fresh:
            return fresh.owed()
    folder = RunFolder.existing(path)
    plan = plan_of(recipe, role_configs(recipe, folder.path))
    with folder.open_ledger(read_only=True) as ledger:
        slots, _ = _laid_out(folder, plan, ledger)
    return {name: count for name, count in count_owed(plan, slots).items() if count}


def recipe_of(folder: RunFolder, overrides: Iterable[str] = ()) -> Recipe:
    """The recipe that a run was last mined with, changed by `overrides`."""
    try:
        text = folder.recipe.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RunError(
            f"{folder.path} was begun but never mined: `triptych mine RECIPE --out {folder.path}` goes on"
        ) from None
    return parse_recipe(text, overrides, origin=str(folder.recipe), base=folder.path)


def keep_recipe(run: Run) -> bool:
    """Store the recipe as the one the run was last mined with; whether that changed anything."""
    text = dump_recipe(run.plan.recipe)
    file = run.folder.recipe
    part = file.with_name(f".{file.name}.part")
    try:
        if file.exists() and file.read_bytes() == text.encode():
            return False
        part.write_text(text, encoding="utf-8")
        part.replace(file)
    except OSError as error:
        raise WorkFailed(f"{file} can't be written ({error.strerror}): mend that and run again") from error
    return True


def mine(recipe: Recipe, path: Path, observe: Observer | None = None) -> Mined:
    """Mine what a recipe owes in this folder and return when it is done, its budget is spent, or work failed.

    The run in the result is closed: look at it with `open_run`.
    """
    with open_for_mining(recipe, path) as run:
        mined = asyncio.run(mine_open(run, observe or _ignore))
        run.drop_superfluous()
        return mined


async def mine_open(run: Run, observe: Observer, steer: Callable[[Stopper], object] | None = None) -> Mined:
    """As `mine`, on an open run and on this event loop; `steer` is given what can stop it."""
    from triptych.engines.local import LocalEngine
    from triptych.ledger.writer import GroupCommitter
    from triptych.mining.canaries import JudgeChanged
    from triptych.mining.doubts import doubted
    from triptych.mining.miner import Miner

    recipe = run.plan.recipe
    run.folder.write_lock(run.plan.specs.values())
    keep_recipe(run)
    with suppress(OSError):  # on a full disk: writing facts will say so
        run.folder.report_due.touch()
    calls = {role: cost.calls for role, cost in costs(run.ledger).items()}
    spending = Spending(recipe.budget, calls, spent(run.ledger).seconds)
    task = asyncio.current_task()
    assert task is not None  # noqa: S101  (a coroutine that runs has one)
    async with _collecting_seldom(), GroupCommitter(run.ledger) as committer:
        engine = LocalEngine(
            run.plan,
            run.configs,
            run.images,
            recipe.image_format,
            committer,
            scenes=_scenes_of(run),
            phased=recipe.residency == "phased",
        )
        async with engine:
            known = scene_reader(run.plan, run.ledger)
            canaries = canary_facts(run.ledger, run.plan.spec_id("validator"))
            miner = Miner(run.plan, run.slots, engine, spending, observe, known, run.gone, canaries)
            stopper = Stopper(miner, engine, task)
            if steer is not None:
                steer(stopper)
            try:
                await miner.mine()
            except asyncio.CancelledError:
                if not stopper.killed:
                    raise
                task.uncancel()
            except JudgeChanged as change:
                raise WorkFailed(doubted(run.plan, run.ledger, change)) from change
    return Mined(run, miner.stopped, spending.stopped_by)


@asynccontextmanager
async def _collecting_seldom() -> AsyncIterator[None]:
    """Facts that a miner keeps are no garbage: looking for some among them is a tenth of its time."""
    enabled, thresholds = gc.isenabled(), gc.get_threshold()
    gc.set_threshold(50_000, 20, 100)
    gc.enable()
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        if not enabled:
            gc.disable()


def _ignore(_: Event) -> None:
    return None


def _scenes_of(run: Run) -> DistinctScenes | None:
    """What the run's scenes say, for a writer not to say it again; None where none is to be written."""
    if all(slot.state is not None or slot.spent is not None for slot in run.slots):
        return None
    return DistinctScenes(slot.state.scene.prompt or "" for slot in run.slots if slot.state is not None)
