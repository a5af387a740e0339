"""What a plan asks of one scene against what another shows: flaws read off two scene graphs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from triptych.backends.studio.artwork import aspect
from triptych.backends.studio.attempt import PLAIN
from triptych.backends.studio.catalogue import KINDS
from triptych.backends.studio.edits import EditPlan, apply_plan, find_things
from triptych.backends.studio.layout import COLUMNS, MARGIN, Size, box_of, overlap, third_of
from triptych.backends.studio.prompts import Description
from triptych.backends.studio.scene import Scene, Setting, Thing
from triptych.backends.studio.settings import stage
from triptych.backends.studio.subjects import HIDING, newly_hidden
from triptych.backends.studio.truth import Flaws

# Fractions of the frame (or ratios of height) up to which a thing stands where, and is as large as, it was.
STILL: Final = 0.012
SAME_SIZE: Final = 1.06
FAR: Final = 0.12  # from the place told: plainly elsewhere
GAP: Final = 0.35  # between two things that are told to stand side by side
NEAR: Final = 0.06  # another kind that stands there has taken the thing's place
PLAINLY_SEEN: Final = 0.32  # least strength of a difference between graphs: unseen slips are not kept
SEASONLESS: Final[frozenset[Setting]] = frozenset({"room", "table", "underwater", "desert"})
WHOLE: Final = ("setting", "time", "season", "weather", "style", "degradation", "grade")


@dataclass(frozen=True)
class _Asked:
    """A plan applied to a scene, with what that changes."""

    scene: Scene  # as it should be
    still: Scene  # as it would be, were only the surroundings changed
    added: dict[str, Description]  # by id
    removed: frozenset[str]
    setting: Setting  # as it was
    empty: int  # parts that ask nothing of this scene
    parts: int


def flaws_shown(
    before: Scene, plan: EditPlan, after: Scene, size: Size, mishaps: frozenset[str] = frozenset()
) -> Flaws:
    """What is wrong with `after` as the result of the plan on `before`, but for the pixels; `size` in px.

    "trivial" if the plan asks nothing of `before` or nothing was done; else by what differs from the scene
    that was asked for: asked and not done is "ignored" ("half" in part), done otherwise "wrong_attribute";
    what nobody asked for is "lost", "moved", "collateral" or "over_edit". `mishaps`: what went wrong when
    `after` was painted, if it was; a thing put in that suffers from it is a flaw of this pair too.
    """
    asked = _applied(before, plan, size)
    if asked.empty == asked.parts or _looks(before) == _looks(after):
        return (("trivial", 1.0),)
    found = _Differences(asked, after, size, mishaps)
    flaws = found.flaws
    parts = plan.parts or (plan,)
    if any(part.operation in HIDING for part in parts):
        hidden = newly_hidden(before, after, size)
        if hidden and all(kind != "lost" for kind, _ in flaws):
            flaws.append(("lost", hidden))
    if asked.empty and all(kind not in ("ignored", "half", "wrong_object") for kind, _ in flaws):
        flaws.append(("half", 1.0))
    return tuple((kind, round(strength, 3)) for kind, strength in flaws)


def _applied(before: Scene, plan: EditPlan, size: Size) -> _Asked:
    scene, still, empty = before, before, 0
    added: dict[str, Description] = {}
    removed: set[str] = set()
    parts = plan.parts or (plan,)
    for part in parts:
        then = apply_plan(scene, part, size)
        empty += then == scene or _speaks_of_nothing(scene, part)
        if part.operation == "background":
            still = apply_plan(still, part, size)
        ids, new_ids = ({thing.id for thing in one.things} for one in (scene, then))
        removed |= ids - new_ids
        added = {name: thing for name, thing in added.items() if name in new_ids}
        if part.operation == "add" and part.thing is not None:
            added |= dict.fromkeys(new_ids - ids, part.thing)
        scene = then
    return _Asked(scene, still, added, frozenset(removed), before.setting, empty, len(parts))


def _speaks_of_nothing(scene: Scene, part: EditPlan) -> bool:
    """Whether what the part wants changed, a thing or some damage, isn't there."""
    if part.operation == "restore":
        return scene.degradation != part.value
    return part.target is not None and not find_things(scene, part.target)


def _looks(scene: Scene) -> Scene:
    """The scene without what can't be seen: names and order of its things."""
    things = sorted((replace(thing, id="") for thing in scene.things), key=repr)
    return replace(scene, things=tuple(things))


class _Differences:
    """The flaws of a scene against the one asked for."""

    def __init__(self, asked: _Asked, after: Scene, size: Size, mishaps: frozenset[str]) -> None:
        self.asked = asked
        self.after = after
        self.size = size
        self.mishaps = mishaps
        self.was = {thing.id: thing for thing in asked.still.things}
        self.demanded = self.undone = 0
        self.flaws: list[tuple[str, float]] = []
        pairs, lacking, surplus = self._matched()
        for wanted, shown in pairs:
            self._thing(wanted, shown)
        for wanted in lacking:
            self._lacking(wanted)
        self._surplus(surplus)
        self._whole()
        self._undone()

    def _matched(self) -> tuple[list[tuple[Thing, Thing]], list[Thing], list[Thing]]:
        """Things wanted beside things shown: of one kind first, then whatever stands at the same place."""
        wanted, shown = list(self.asked.scene.things), list(self.after.things)
        ranked = sorted(
            (self._unlikeness(one, other), i, j)
            for i, one in enumerate(wanted)
            for j, other in enumerate(shown)
            if one.kind == other.kind or self._in_its_place(one, other)
        )
        taken: dict[int, int] = {}
        for _, i, j in ranked:
            if i not in taken and j not in taken.values():
                taken[i] = j
        pairs = [(wanted[i], shown[j]) for i, j in taken.items()]
        lacking = [one for i, one in enumerate(wanted) if i not in taken]
        return pairs, lacking, [one for j, one in enumerate(shown) if j not in taken.values()]

    def _in_its_place(self, wanted: Thing, shown: Thing) -> bool:
        return wanted.id not in self.asked.added and _distance(wanted, shown) < NEAR

    def _unlikeness(self, wanted: Thing, shown: Thing) -> float:
        look = 4.0 * (wanted.kind != shown.kind) + (not _alike(wanted, shown))
        if wanted.id in self.asked.added:
            return look - 0.1 * (wanted.id == shown.id)
        return look - 0.5 * (wanted.id == shown.id) + 3 * _distance(wanted, shown)

    def _thing(self, wanted: Thing, shown: Thing) -> None:
        if wanted.id in self.asked.added:
            self.demanded += 1
            self._put_in(wanted, shown, self.asked.added[wanted.id])
            return
        was = self.was[wanted.id]
        changed = not _alike(was, wanted) or _ratio(was, wanted) > SAME_SIZE
        self.demanded += changed
        alike, grown = _alike(wanted, shown), _ratio(shown, wanted)
        if changed and _alike(was, shown) and _ratio(shown, was) < SAME_SIZE:
            self.undone += 1
        elif not alike:
            self._note("wrong_attribute" if changed else "collateral", wanted, shown)
        elif grown > SAME_SIZE:
            beyond = changed and (shown.height > wanted.height) == (wanted.height > was.height)
            self._note("over_edit" if beyond or not changed else "wrong_attribute", wanted, shown)
        moved = _distance(wanted, shown)
        if moved > STILL:
            share = 2 * _area(shown) * min(1.0, moved / max(shown.height, 1e-6))
            self.flaws.append(("moved", _strength(share)))

    def _put_in(self, wanted: Thing, shown: Thing, described: Description) -> None:
        if not _alike(wanted, shown):
            self._note("wrong_attribute", wanted, shown)
        if self._far_from_told(shown, described):
            self.flaws.append(("wrong_attribute", 0.8))
        self._mishap(shown)

    def _mishap(self, shown: Thing) -> None:
        if "floating" in self.mishaps and shown.ground is not None and KINDS[shown.kind].group != "sky":
            self.flaws.append(("floating", min(1.0, abs(shown.ground - shown.y) / 0.25)))
        others = [
            thing
            for thing in self.after.things
            if thing.id != shown.id and (thing.ground is None) == (shown.ground is None)
        ]
        box = box_of(shown, self.size)
        covered = max((overlap(box, box_of(other, self.size)) for other in others), default=0.0)
        if "overlap" in self.mishaps and covered > 0.45:
            self.flaws.append(("overlap", min(1.0, covered)))
        grown = self._growth(shown) / float(np.median([self._growth(other) for other in others] or [1.0]))
        if "wrong_size" in self.mishaps and max(grown, 1 / grown) > 1.75:
            self.flaws.append(("wrong_size", min(1.0, (max(grown, 1 / grown) - 1) / 1.6)))

    def _growth(self, thing: Thing) -> float:
        """Height against what is natural where the thing stands."""
        kind = KINDS[thing.kind]
        ground = stage(self.after.setting, *self.size)
        if kind.group == "sky" or ground.floating or kind.afloat or thing.ground is not None:
            return thing.height / kind.height
        depth = (thing.y - ground.ground_far) / (ground.ground_near - ground.ground_far)
        scale = ground.scale_far + (ground.scale_near - ground.scale_far) * depth
        return thing.height / (kind.height * max(scale, 0.1))

    def _far_from_told(self, shown: Thing, described: Description) -> bool:
        if described.beside is not None:
            hosts = [thing for thing in self.after.things if thing.kind == described.beside]
            return bool(hosts) and min(_gap(shown, host, self.size) for host in hosts) > GAP
        ground = stage(self.after.setting, *self.size)
        depth = (shown.y - ground.ground_far) / (ground.ground_near - ground.ground_far)
        stands = not ground.floating and KINDS[shown.kind].group != "sky" and shown.ground is None
        match described.place:
            case "front":
                return stands and depth < 0.45
            case "distance":
                return stands and depth > 0.55
            case "left" | "middle" | "right" as place:
                left, _, right, _ = box_of(shown, self.size)
                low, high = (right - left) / 2 + MARGIN, 1 - (right - left) / 2 - MARGIN
                column = COLUMNS[place]
                reach = [min(max(x, low), high) if low <= high else 0.5 for x in column]
                away = max(reach[0] - shown.x, shown.x - reach[1])
                return third_of(shown) != place and away > FAR
            case _:
                return False

    def _lacking(self, wanted: Thing) -> None:
        if wanted.id in self.asked.added:
            self.demanded += 1
            self.undone += 1
            return
        self.demanded += wanted != self.was[wanted.id]
        self.flaws.append(("lost", _strength(_area(wanted))))

    def _surplus(self, things: Sequence[Thing]) -> None:
        """Things too many: those that should have gone, and those that nobody asked for."""
        gone = [self.was[name] for name in self.asked.removed if name in self.was]
        self.demanded += len(gone)
        for thing in things:
            stayed = next((one for one in gone if _alike(one, thing) and _distance(one, thing) < NEAR), None)
            if stayed is not None:
                gone.remove(stayed)
                self.undone += 1
            else:
                self.flaws.append(("over_edit", _strength(_area(thing))))

    def _whole(self) -> None:
        was, wanted, shown = self.asked.still, self.asked.scene, self.after
        if (wanted.seed, wanted.palette) != (shown.seed, shown.palette):
            self.flaws.append(("collateral", 1.0))
        for field in WHOLE:
            before, should, does = (getattr(scene, field) for scene in (was, wanted, shown))
            if field == "setting":
                before = self.asked.setting
            changed = should != before
            if field == "season" and not changed and shown.setting in SEASONLESS:
                continue
            self.demanded += changed
            if should == does:
                continue
            if changed and does == before:
                self.undone += 1
            else:
                self.flaws.append(("wrong_attribute" if changed else "collateral", 1.0))

    def _undone(self) -> None:
        if not self.undone:
            return
        if self.undone < self.demanded:
            self.flaws.append(("half", 1.0))
        else:
            elsewhere = any(kind in ("collateral", "lost", "over_edit") for kind, _ in self.flaws)
            self.flaws = [("wrong_object" if elsewhere else "ignored", 1.0), *self.flaws]

    def _note(self, kind: str, *things: Thing) -> None:
        self.flaws.append((kind, _strength(max(_area(thing) for thing in things))))


def _alike(first: Thing, second: Thing) -> bool:
    return (first.kind, first.colour, first.material) == (second.kind, second.colour, second.material)


def _distance(first: Thing, second: Thing) -> float:
    return float(np.hypot(first.x - second.x, first.y - second.y))


def _gap(first: Thing, second: Thing, size: Size) -> float:
    """Empty space across, between the boxes of two things."""
    boxes = sorted((box_of(first, size), box_of(second, size)))
    return float(max(0.0, boxes[1][0] - boxes[0][2]))


def _ratio(first: Thing, second: Thing) -> float:
    return max(first.height / second.height, second.height / first.height)


def _area(thing: Thing) -> float:
    """Share of the frame, roughly: pictures fill some six tenths of their box."""
    return float(0.6 * thing.height**2 * aspect(thing.kind))


def _strength(share: float) -> float:
    """How plain a difference on this share of the frame is, 0..1, on the scale of the editor's slips."""
    return float(max(PLAINLY_SEEN, min(1.0, (share / PLAIN) ** 0.5)))


def worst(flaws: Iterable[tuple[str, float]]) -> Flaws:
    """Each kind of flaw once, as strong as it is anywhere."""
    strongest: dict[str, float] = {}
    for kind, strength in flaws:
        strongest[kind] = max(strength, strongest.get(kind, 0.0))
    return tuple(strongest.items())
