"""`triptych mine`: say what is owed, mine it, print the funnel, write the gallery."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from triptych.cli.progress import Activity, display, funnel_table
from triptych.datasets.gallery import gallery_data, write_gallery
from triptych.engines.local import usable_cores
from triptych.errors import WorkFailed
from triptych.ledger.queries import costs, failures
from triptych.mining.miner import CallEnded, Event, Observer
from triptych.recipe import load_recipe
from triptych.runs import Mined, Run, Stopper, mine_open, open_for_mining


def mine(
    recipe_path: Path,
    out: Path | None,
    overrides: Sequence[str],
    *,
    json: bool = False,
    dry_run: bool = False,
) -> int:
    """Mine; returns the exit code: 1 if it was stopped. WorkFailed where a photograph couldn't be read."""
    recipe = load_recipe(recipe_path, overrides)
    console = Console(stderr=json, highlight=False, soft_wrap=True)
    with open_for_mining(recipe, out or Path("runs") / recipe.name) as run:
        owed = run.owed()
        _say_owed(console, run)
        if dry_run:
            return 0
        mined = (
            asyncio.run(_mine(run, console, json=json)) if owed else Mined(run, stopped=False, ended_at=None)
        )
        if owed or not run.folder.report.exists():
            write_report(run, f"triptych mine {recipe_path}")
        console.print(funnel_table(run.view()))
        console.print(f"gallery: {run.folder.report.resolve()}")
        return _conclude(console, mined)


def write_report(run: Run, command: str) -> None:
    """Write the gallery of a run as it stands."""
    data = gallery_data(
        run.plan.recipe.name,
        run.plan,
        run.view(),
        run.rejected(),
        costs(run.ledger),
        failures(run.ledger),
        images=run.images,
        command=command,
    )
    write_gallery(run.folder.report, data)


def _say_owed(console: Console, run: Run) -> None:
    told = ", ".join(f"{count:,} {name}" for name, count in run.owed().items())
    if told:
        console.print(f"{run.folder.path}: owed now {told}, and what follows from them")
    else:
        console.print(f"{run.folder.path}: nothing is owed")


async def _mine(run: Run, console: Console, *, json: bool) -> Mined:
    activity = Activity(run.plan, run.slots, usable_cores())
    with display(activity, console, json=json) as show:
        return await mine_open(run, _telling(show), lambda stopper: _stop_on_signals(stopper, console))


def _telling(show: Observer) -> Observer:
    def tell(event: Event) -> None:
        show(event)
        if isinstance(event, CallEnded) and event.role == "importer" and event.detail:
            print(f"triptych: {event.detail}", file=sys.stderr)

    return tell


def _stop_on_signals(stopper: Stopper, console: Console) -> None:
    def stop() -> None:
        if stopper.draining:
            stopper.kill()
            return
        stopper.drain()
        console.print("finishing the calls in flight; Ctrl-C again stops at once", style="yellow")

    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop)


def _conclude(console: Console, mined: Mined) -> int:
    if mined.stopped:
        console.print("stopped; the same command goes on from here", style="yellow")
        return 1
    if mined.ended_at is not None:
        console.print(f"ended at {mined.ended_at}; a larger one goes on from here")
    slots = mined.run.slots
    unreadable = [slot.opening.name for slot in slots if slot.spent == "unreadable_photograph"]
    if unreadable:
        raise WorkFailed(
            f"{len(unreadable)} of {len(slots)} photographs could not be read ({', '.join(unreadable[:5])}); "
            "the others are mined: mend or remove these and run the same command again"
        )
    return 0
