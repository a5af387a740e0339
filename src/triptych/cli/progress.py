"""What a miner shows while it works: a live board on a terminal, plain lines elsewhere, or JSON events."""

from __future__ import annotations

import codecs
import io
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from shutil import get_terminal_size
from typing import Protocol

import orjson
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from triptych.mining.events import CallEnded, CallStarted, Event, Notice
from triptych.mining.select import FUNNEL_STAGES, RunView, view_of
from triptych.mining.slots import Slot
from triptych.mining.state import Plan, SourceState
from triptych.records import ROLE_NAMES, RoleName, Scene
from triptych.validator.rule import Accepted

_PLAIN_EVERY = 10.0  # seconds between two plain lines
_BOARD_EVERY = 0.5
_REASONS_SHOWN = 6
_REASONS_EVERY = 3  # plain lines


@dataclass(slots=True)
class RoleActivity:
    """What a role has done since this command began."""

    open_calls: int = 0
    most_open: int = 0
    calls: int = 0
    failed: int = 0
    seconds: float = 0.0

    @property
    def latency(self) -> float | None:
        """Mean seconds of a call."""
        return self.seconds / self.calls if self.calls else None


class Activity:
    """Counts what the miner tells, and estimates how long the rest takes."""

    def __init__(self, plan: Plan, slots: Iterable[Slot], workers: int) -> None:
        self.plan = plan
        self.slots = list(slots)
        self.workers = workers
        self.roles: dict[RoleName, RoleActivity] = defaultdict(RoleActivity)
        self.failures: Counter[str] = Counter()
        self.started = time.monotonic()
        self._settled_before = self.scenes_through()
        self._selected_before = len(self.view().selected)

    def take(self, event: Event) -> None:
        """Count an event."""
        if isinstance(event, CallStarted):
            role = self.roles[event.role]
            role.open_calls += 1
            role.most_open = max(role.most_open, role.open_calls)
        elif isinstance(event, CallEnded):
            role = self.roles[event.role]
            role.open_calls -= 1
            role.calls += 1
            role.seconds += event.seconds
            if event.outcome != "made":
                role.failed += 1
                self.failures[event.reason or event.outcome] += 1

    def view(self) -> RunView:
        """The run as it stands."""
        return view_of(self.plan, self.slots)

    @property
    def elapsed(self) -> float:
        """Seconds since this command began."""
        return time.monotonic() - self.started

    def busy(self, role: RoleName) -> float:
        """Share of the time of all places where this role's calls can run."""
        part = getattr(self.plan.recipe, role, None)
        did = self.roles[role]
        places = (part.workers if part is not None else None) or max(self.workers, did.most_open)
        return did.seconds / max(self.elapsed * places, 1e-9)

    def accepted_per_hour(self, view: RunView) -> float:
        """Selected triplets an hour, by this command."""
        return (len(view.selected) - self._selected_before) * 3600 / max(self.elapsed, 1e-9)

    def seconds_left(self) -> float | None:
        """At the pace so far; None until some scenes are through."""
        settled, total = self.scenes_through(), len(self.slots)
        done = settled - self._settled_before
        if done < 0.02 * total or self.elapsed < 2:
            return None
        return (total - settled) * self.elapsed / done

    def scenes_through(self) -> float:
        """Scenes of which no attempt is owed any more; a part counts as a part."""
        return sum(_share_settled(self.plan, slot) for slot in self.slots)


def _share_settled(plan: Plan, slot: Slot) -> float:
    if slot.spent is not None:
        return 1.0
    if slot.state is None or not slot.state.sources:
        return 0.0
    shares = [_share_of_source(plan, slot.state.scene, source) for source in slot.state.sources]
    return sum(shares) / len(shares)


def _share_of_source(plan: Plan, scene: Scene, source: SourceState) -> float:
    if not source.settled(plan, scene):
        return 0.0
    if source.spent is not None or not isinstance(source.decision(plan, scene), Accepted):
        return 1.0  # nothing will be made of it
    if not source.lanes:
        return 0.0  # a photograph that nobody has described yet
    through: list[bool]
    if plan.recipe.policy == "until_accepted":
        through = [lane.finished(plan) for lane in source.lanes]
    else:
        through = [attempt.settled(plan) for lane in source.lanes for attempt in lane.attempts]
    return sum(through) / len(through) if through else 1.0


def reasons_told(view: RunView, activity: Activity) -> str:
    """What stopped most sources, attempts and calls; "" where nothing did."""
    reasons = view.rejections + activity.failures
    return " · ".join(
        f"{name.replace('_', ' ')} {count:,}" for name, count in reasons.most_common(_REASONS_SHOWN)
    )


class Display(Protocol):
    """Shows events as they come."""

    def __call__(self, event: Event) -> None:
        """Take an event from the miner."""

    def __enter__(self) -> Display: ...

    def __exit__(self, *_: object) -> None: ...


_PLAINLY = {"█": "#", "▏": "|", "·": "|", "…": "...", "–": "-", "—": "-", "×": "x"}
_NARROWEST = 44  # columns; narrower terminals break lines themselves, and are given no board


def _plainly(error: UnicodeError) -> tuple[str, int]:
    """For streams that know less than Unicode: signs of ours by what looks alike, anything else escaped."""
    assert isinstance(error, UnicodeEncodeError)  # noqa: S101  (nothing is decoded with it)
    unknown = error.object[error.start : error.end]
    return "".join(_PLAINLY.get(c) or ascii(c)[1:-1] for c in unknown), error.end


def terminal(*, stderr: bool = False) -> Console:
    """A console that prints whatever it is given, in words that aren't cut."""
    codecs.register_error("plainly", _plainly)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="plainly")
    console = Console(stderr=stderr, highlight=False, soft_wrap=True)
    console.width = max(console.width, _NARROWEST)
    return console


def announce(event: str, **values: object) -> None:
    """Tell a program, a JSON object in a line."""
    sys.stdout.write(orjson.dumps({"event": event, **values}).decode() + "\n")
    sys.stdout.flush()


def display(activity: Activity, console: Console, *, json: bool) -> Display:
    """The display that fits where the output goes."""
    if json:
        return JsonEvents(activity)
    # A board wider than its terminal would leave half of itself behind every time that it is drawn.
    fits = console.is_terminal and get_terminal_size().columns >= _NARROWEST
    return Board(activity, console) if fits else PlainLines(activity, console)


class Board:
    """A live board on a terminal."""

    def __init__(self, activity: Activity, console: Console) -> None:
        self._activity = activity
        self._console = Console(stderr=console.stderr, highlight=False, width=console.width)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._shown = 0.0

    def __call__(self, event: Event) -> None:  # noqa: D102  (as Display says)
        self._activity.take(event)
        if isinstance(event, Notice):
            self._console.print(event.text, style="yellow", soft_wrap=True)
        now = time.monotonic()
        if now - self._shown >= _BOARD_EVERY:
            self._shown = now
            self._live.update(self._board(), refresh=True)

    def __enter__(self) -> Board:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def _board(self) -> RenderableType:
        activity, view = self._activity, self._activity.view()
        head = Text.assemble(
            (f"{len(view.selected)} selected, {len(view.triplets)} kept", "bold green"),
            f" · {activity.accepted_per_hour(view):,.0f} an hour · ",
            f"{_clock(activity.elapsed)} so far · ",
            f"about {_clock(left)} left" if (left := activity.seconds_left()) is not None else "…",
        )
        parts: list[RenderableType] = [head, funnel_table(view.funnel, self._console), self._roles()]
        if told := reasons_told(view, activity):
            parts.append(Text(f"stopped by: {told}", style="dim"))
        return Group(*parts)

    def _roles(self) -> Table:
        table = Table("role", "calls", "failed", "s a call", "busy", box=None, header_style="dim")
        align_numbers(table)
        for role in ROLE_NAMES:
            if role in self._activity.roles:
                did = self._activity.roles[role]
                latency = f"{did.latency:.2f}" if did.latency is not None else "–"
                busy = f"{self._activity.busy(role):.0%}"
                table.add_row(role.replace("_", " "), str(did.calls), str(did.failed), latency, busy)
        return table


class PlainLines:
    """A line now and then, for logs."""

    def __init__(self, activity: Activity, console: Console) -> None:
        self._activity = activity
        self._console = console
        self._shown = time.monotonic()
        self._lines = 0

    def __call__(self, event: Event) -> None:  # noqa: D102  (as Display says)
        self._activity.take(event)
        if isinstance(event, Notice):
            self._console.print(event.text)
        now = time.monotonic()
        if now - self._shown >= _PLAIN_EVERY:
            self._shown = now
            view = self._activity.view()
            left = self._activity.seconds_left()
            self._console.print(
                f"{_clock(self._activity.elapsed)}  {view.funnel['sources']} sources, "
                f"{view.funnel['attempts']} attempts, {len(view.selected)} selected"
                f" ({self._activity.accepted_per_hour(view):,.0f} an hour)"
                + (f", about {_clock(left)} left" if left is not None else "")
            )
            self._lines += 1
            if self._lines % _REASONS_EVERY == 0 and (told := reasons_told(view, self._activity)):
                self._console.print(f"      stopped by: {told}")

    def __enter__(self) -> PlainLines:
        return self

    def __exit__(self, *_: object) -> None:
        return None


class JsonEvents:
    """One JSON object a line for every finished call, notice and funnel."""

    def __init__(self, activity: Activity) -> None:
        self._activity = activity
        self._shown = time.monotonic()

    def __call__(self, event: Event) -> None:  # noqa: D102  (as Display says)
        self._activity.take(event)
        if isinstance(event, CallEnded):
            announce(
                "call",
                role=event.role,
                outcome=event.outcome,
                reason=event.reason,
                seconds=round(event.seconds, 4),
            )
        elif isinstance(event, Notice):
            announce("notice", text=event.text)
        now = time.monotonic()
        if now - self._shown >= _PLAIN_EVERY:
            self._shown = now
            announce("funnel", **self._activity.view().funnel)

    def __enter__(self) -> JsonEvents:
        return self

    def __exit__(self, *_: object) -> None:
        return None


def funnel_table(funnel: Mapping[str, int], console: Console) -> Table:
    """The funnel with a bar for each stage, and what share of the stage before came through."""
    table = Table(box=None, show_header=False, padding=(0, 1))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", style="dim", no_wrap=True)
    width = min(32, console.width - 34)  # what names, counts and shares leave
    most = max(funnel.values(), default=0) or 1
    before: int | None = None
    for stage in FUNNEL_STAGES:
        count = funnel[stage]
        bar = "█" * round(width * count / most) or ("▏" if count else "")
        share = f"{count / before:.0%}" if before and stage not in ("sources", "attempts") else ""
        table.add_row(stage.replace("_", " "), f"{count:,}", Text(bar, style="cyan"), share)
        before = count
    return table


def align_numbers(table: Table) -> None:
    """Words to the left, numbers to the right, none of them broken."""
    for number, column in enumerate(table.columns):
        column.no_wrap = True
        column.justify = "right" if number else "left"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
