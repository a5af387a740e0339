"""`triptych mine`: say what is owed, mine it, print the funnel, write the gallery."""

from __future__ import annotations

import asyncio
import shlex
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from triptych.cli.counters import Counters
from triptych.cli.progress import Activity, announce, display, funnel_table, terminal
from triptych.cli.status import counted
from triptych.engines.cores import usable_cores
from triptych.errors import WorkFailed
from triptych.ledger.queries import costs, failures
from triptych.mining.events import CallEnded, Event, Notice, Observer
from triptych.recipe import load_recipe
from triptych.runs import Mined, Run, Stopper, keep_recipe, mine_open, open_for_mining, owed_by


def mine(
    recipe_path: Path,
    out: Path | None,
    overrides: Sequence[str],
    *,
    shard: tuple[int, int] | None = None,
    json: bool = False,
    dry_run: bool = False,
) -> int:
    """Mine; returns the exit code: 1 if it was stopped. WorkFailed where a photograph couldn't be read."""
    recipe = load_recipe(recipe_path, overrides)
    console = terminal(stderr=json)
    folder = out or Path("runs") / recipe.name
    if shard is not None:
        recipe = recipe.sharded(*shard)
        folder = out or folder.with_name(f"{recipe.name}-{shard[0]}-of-{shard[1]}")
    if dry_run:
        _say_owed(console, folder, owed_by(recipe, folder))
        return 0
    with open_for_mining(recipe, folder) as run:
        owed = run.owed()
        _say_owed(console, folder, owed)
        changed = keep_recipe(run)
        mined = (
            asyncio.run(_mine(run, console, json=json)) if owed else Mined(run, stopped=False, ended_at=None)
        )
        if mined.stopped:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # asked twice or not: what is left takes a moment
        due = run.folder.report_due
        if owed or changed or due.exists() or not run.folder.report.exists():
            write_report(run, _command(recipe.name, overrides))
            due.unlink(missing_ok=True)
        run.drop_superfluous()  # after the page, which shows examples of them
        left = run.owed() if mined.ended_at is not None else {}
        ended_at = mined.ended_at if left else None  # a budget that just fits ends nothing
        view = run.view()
        if json:
            announce("funnel", **view.funnel)
            announce(
                "end",
                selected=len(view.triplets),
                stopped=mined.stopped,
                ended_at=ended_at,
                gallery=str(run.folder.report.resolve()),
            )
        console.print(funnel_table(view.funnel, console))
        console.print(f"gallery: {run.folder.report.resolve()}")
        told = counted(run, view)
        code = _conclude(console, mined.stopped, ended_at, run)
    counters = Counters(run.folder, run.plan)
    counters.keep(told, counters.stamp())  # as the ledger is now that it is closed, and still ours
    return code


def write_report(run: Run, command: str) -> None:
    """Write the gallery of a run as it stands."""
    from triptych.datasets.gallery import gallery_data, write_gallery

    data = gallery_data(
        run.plan.recipe.name,
        run.plan,
        run.view(),
        run.rejected(),
        costs(run.ledger),
        failures(run.ledger),
        images=run.images,
        command=command,
        slots=run.slots,
    )
    write_gallery(run.folder.report, data)


def _command(name: str, overrides: Sequence[str]) -> str:
    """What made the run, as the page shows it: no path of this machine."""
    shown = [
        f"photographs.folder={Path(text).name}" if key == "photographs.folder" else f"{key}={text}"
        for key, _, text in (override.partition("=") for override in overrides)
    ]
    return shlex.join(["triptych", "mine", name, *(word for change in shown for word in ("--set", change))])


def _say_owed(console: Console, folder: Path, owed: Mapping[str, int]) -> None:
    told = ", ".join(f"{count:,} {name}" for name, count in owed.items())
    if told:
        console.print(f"{folder}: owed now {told}, and what follows from them")
    else:
        console.print(f"{folder}: nothing is owed")


async def _mine(run: Run, console: Console, *, json: bool) -> Mined:
    activity = Activity(run.plan, run.slots, usable_cores())
    with display(activity, console, json=json) as show:
        return await mine_open(run, _telling(show), lambda stopper: _stop_on_signals(stopper, show))


def _telling(show: Observer) -> Observer:
    """What is odd about a photograph is said; that one can't be read goes to standard error.

    Of the other roles, what is to be known of a kind of failure, or of an answer, is said the first time.
    """
    said: set[tuple[str, str | None]] = set()

    def tell(event: Event) -> None:
        show(event)
        if not isinstance(event, CallEnded) or not event.detail:
            return
        if event.role != "importer":
            if (event.role, event.reason) not in said:
                said.add((event.role, event.reason))
                what = f"{event.reason}: " if event.reason else ""
                show(Notice(f"{event.role.replace('_', ' ')}: {what}{event.detail}"))
        elif event.outcome == "made":
            show(Notice(event.detail))
        else:
            print(f"triptych: {event.detail}", file=sys.stderr)

    return tell


def _stop_on_signals(stopper: Stopper, show: Observer) -> None:
    def stop() -> None:
        if stopper.draining:
            stopper.kill()
            return
        stopper.drain()
        show(Notice("finishing the calls in flight; Ctrl-C again stops at once"))

    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop)


def _conclude(console: Console, stopped: bool, ended_at: str | None, run: Run) -> int:
    if stopped:
        console.print("stopped; the same command goes on from here", style="yellow")
        return 1
    if ended_at is not None:
        console.print(f"ended at {ended_at}; a larger one goes on from here")
    unreadable = [slot.opening.name for slot in run.slots if slot.spent == "unreadable_photograph"]
    if unreadable:
        named = ", ".join(unreadable[:5])
        raise WorkFailed(
            f"{len(unreadable)} of {len(run.slots)} photographs could not be read ({named}); "
            "the others are mined: mend or remove these and run the same command again"
        )
    return 0
