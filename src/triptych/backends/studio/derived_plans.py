"""Plans made of other plans: backward ones told in full, and two that became one."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from triptych.backends.studio.catalogue import KINDS, natural_colour
from triptych.backends.studio.edits import OPPOSITE_GRADES, EditPlan, Operation, apply_to_wish, invert_plan
from triptych.backends.studio.prompts import SIZE_WORDS, UNCOLOURED, Description, SizeWord, Wish

# The later of two replaces the earlier.
_LAST_COUNTS: Final[frozenset[Operation]] = frozenset(
    {"background", "time_of_day", "season", "weather", "style"}
)
_SMALL: Final = 0.17  # natural heights, fractions of the frame's side: small below, large above the other
_LARGE: Final = 0.33


# ---- Backward --------------------------------------------------------------------------------------------


def inverse_in_full(wish: Wish, plan: EditPlan) -> EditPlan | None:
    """The backward plan with colour, size and place of all that comes in; None: not of this wish's things."""
    if not _speaks_of(wish, plan):
        return None
    inverse = invert_plan(wish, plan)
    forward = plan.parts or (plan,)
    backward = inverse.parts or (inverse,)
    told = [
        _told_in_full(wish, before, part) for before, part in zip(reversed(forward), backward, strict=True)
    ]
    return simplified(told)


def _speaks_of(wish: Wish, plan: EditPlan) -> bool:
    for part in plan.parts or (plan,):
        if part.target is not None and all(part.target.kind != thing.kind for thing in wish.things):
            return False
        if part.operation == "color_correction" and part.value == "softer":
            return False
        wish = apply_to_wish(wish, part)
    return True


def _told_in_full(wish: Wish, forward: EditPlan, backward: EditPlan) -> EditPlan:
    if backward.operation == "remove" and forward.thing is not None:
        return replace(backward, target=forward.thing)  # with what it stands next to
    if backward.thing is None:
        leads_away = backward.operation in _LAST_COUNTS
        return replace(backward, leaving=forward.value) if leads_away else backward
    thing = _coloured(backward.thing, wish)
    if backward.operation == "add":
        nowhere = thing.place is None and thing.beside is None
        thing = replace(thing, size=size_word(thing), ground=wish.setting if nowhere else None)
    if backward.operation == "replace":
        thing = replace(thing, size=size_word(thing))
    return replace(backward, thing=thing)


def _coloured(thing: Description, wish: Wish) -> Description:
    if thing.colour is not None or thing.material is not None or wish.style in UNCOLOURED:
        return thing
    return replace(thing, colour=natural_colour(thing.kind))


def size_word(thing: Description) -> SizeWord:
    """How large a thing of this kind is, as things go."""
    height = KINDS[thing.kind].height
    return "small" if height <= _SMALL else "large" if height >= _LARGE else "medium-sized"


# ---- Joined ----------------------------------------------------------------------------------------------


def joined(first: EditPlan, second: EditPlan) -> EditPlan | None:
    """One plan that does both, the first first, with nothing in it that the rest makes needless.

    None: they cancel out.
    """
    return simplified([*(first.parts or (first,)), *(second.parts or (second,))])


def speaks_of_what_is_gone(plan: EditPlan) -> bool:
    """Whether a part is about a thing that an earlier one took out or replaced: no picture fits that."""
    gone: set[str] = set()
    for part in plan.parts:
        if part.target is not None and part.target.kind in gone:
            return True
        if part.target is not None and part.operation in ("remove", "replace"):
            gone.add(part.target.kind)
        if part.thing is not None and part.operation in ("add", "replace"):
            gone.discard(part.thing.kind)
    return False


def simplified(parts: list[EditPlan]) -> EditPlan | None:
    """The least plan that leads to the same scene; None: nothing is left to do."""
    while (fewer := _once_simpler(parts)) is not None:
        parts = fewer
    parts = _background_first(parts)
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else EditPlan("composite", parts=tuple(parts))


def result_kind(plan: EditPlan) -> str | None:
    """The kind of the thing that the plan leaves behind where it worked; None: it leaves none."""
    if plan.operation in ("add", "replace") and plan.thing is not None:
        return plan.thing.kind
    return None if plan.target is None or plan.operation == "remove" else plan.target.kind


def _once_simpler(parts: list[EditPlan]) -> list[EditPlan] | None:
    for later, second in enumerate(parts):
        for earlier in range(later - 1, -1, -1):
            merged = _merged(parts[earlier], second)
            if merged is not None:
                rest = [*parts[earlier + 1 : later], *parts[later + 1 :]]
                return [*parts[:earlier], *merged, *rest]
    return None


def _merged(first: EditPlan, second: EditPlan) -> list[EditPlan] | None:
    """What the two come to, done one after the other; None: both are needed."""
    if first.operation == second.operation and first.operation in _LAST_COUNTS:
        return [] if second.value == first.leaving else [replace(second, leaving=first.leaving)]
    if {first.operation, second.operation} == {"degrade", "restore"} and first.value == second.value:
        return []
    if first.operation == second.operation == "color_correction":
        return [] if _opposite(str(first.value), str(second.value)) else None
    if first.operation == "remove" and second.operation == "add" and _same(first.target, second.thing):
        return []
    if second.target is None or result_kind(first) != second.target.kind:
        return None
    if first.operation == "add" and first.thing is not None:
        return _added_changed(first, first.thing, second)
    if second.operation == "remove":
        return [replace(second, target=first.target)]
    if first.operation == second.operation == "resize":
        return None if first.value == second.value else []
    if "resize" in (first.operation, second.operation):
        return _resized_and_replaced(first, second)
    return _both_changed(first, second)


def _resized_and_replaced(first: EditPlan, second: EditPlan) -> list[EditPlan] | None:
    """Replaced, and then resized: what comes in is said to be of some size only once."""
    if first.operation == "replace" and first.thing is not None and first.thing.size is not None:
        return [replace(first, thing=replace(first.thing, size=None)), second]
    if second.operation == "replace" and second.thing is not None:
        thing = replace(second.thing, size=None)
        target = replace(thing, place=first.target.place if first.target is not None else None)
        return [replace(second, target=first.target, thing=thing), replace(first, target=target)]
    return None


def _opposite(first: str, second: str) -> bool:
    return OPPOSITE_GRADES.get(first) == second or {first, second} == {"contrast", "softer"}


def _same(first: Description | None, second: Description | None) -> bool:
    """Whether a thing taken out is the one put in: alike, and at the same place."""
    if first is None or second is None:
        return False
    alike = _bare(first) == _bare(second)
    return alike and (first.place, first.beside) == (second.place, second.beside)


def _bare(thing: Description) -> Description:
    colour = thing.colour or (natural_colour(thing.kind) if thing.material is None else None)
    return Description(thing.kind, colour, thing.material)


def _added_changed(first: EditPlan, thing: Description, second: EditPlan) -> list[EditPlan] | None:
    """Put in right away as the second plan would have it."""
    if second.operation == "remove":
        return []
    if second.operation == "resize":
        index = SIZE_WORDS.index(thing.size or size_word(thing)) + (1 if second.value == "bigger" else -1)
        return [replace(first, thing=replace(thing, size=SIZE_WORDS[index]))] if 0 <= index < 5 else None
    return [replace(first, thing=_after(thing, second))]


def _both_changed(first: EditPlan, second: EditPlan) -> list[EditPlan]:
    """The look that the second plan gives, given to what the first would have changed."""
    target = first.target
    if target is None:  # pragma: no cover  (whatever leaves a thing but isn't an "add" has a target)
        return [first, second]
    start = first.thing if first.operation == "replace" and first.thing is not None else target
    end = _after(start, second)
    if _bare(end) == _bare(target):
        return []
    if end.kind != target.kind:
        return [EditPlan("replace", target, replace(end, place=None, beside=None, ground=None))]
    if end.material is not None:
        return [EditPlan("material", target, value=end.material)]
    colour = end.colour or natural_colour(end.kind)
    if target.material is not None:
        return [EditPlan("material", target, Description(end.kind, colour), "plain")]
    return [EditPlan("color", target, value=colour)]


def _after(thing: Description, plan: EditPlan) -> Description:
    """The thing as it is described after the plan, at its place."""
    match plan.operation:
        case "color":
            return replace(thing, colour=plan.value, material=None)
        case "material" if plan.value == "plain":
            colour = plan.thing.colour if plan.thing is not None else None
            return replace(thing, colour=colour, material=None)
        case "material":
            return replace(thing, colour=None, material=plan.value)
        case "replace" if plan.thing is not None:
            size = plan.thing.size or (None if thing.size is None else size_word(plan.thing))
            return replace(plan.thing, place=thing.place, beside=thing.beside, ground=thing.ground, size=size)
        case _:
            return thing


def _background_first(parts: list[EditPlan]) -> list[EditPlan]:
    """Things are put into the setting they end up in."""
    moving = [part for part in parts if part.operation == "background"]
    if not moving:
        return parts
    rest = [part for part in parts if part.operation != "background"]
    return [*moving, *(_in_setting(part, str(moving[-1].value)) for part in rest)]


def _in_setting(part: EditPlan, setting: str) -> EditPlan:
    if part.thing is None or part.thing.ground is None:
        return part
    return replace(part, thing=replace(part.thing, ground=setting))  # type: ignore[arg-type]
