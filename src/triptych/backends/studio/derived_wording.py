"""Derived plans in words: told in full, several orders as one sentence, one order in four registers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final

import numpy as np

from triptych.backends.studio.derived_plans import result_kind
from triptych.backends.studio.edits import EditPlan, Operation
from triptych.backends.studio.prompts import (
    PLACE_WORDS,
    Description,
    capitalised,
    choose,
    naming,
    placing,
    with_article,
)
from triptych.backends.studio.wording import ORDINARY, templates

REGISTERS: Final = ("short", "casual", "imperative", "question")
BANNED: Final = re.compile(r"\b(undo|revert|restore|back)\b", re.IGNORECASE)
_TOGETHER: Final[frozenset[Operation]] = frozenset({"remove", "add", "color", "material", "replace"})
# In a sentence about several things "it" would be the last of them; of the weather and the hour it may rain.
_PICTURE_AS_IT: Final = re.compile(r"\bit\b", re.IGNORECASE)
_PRONOUN_FITS_NOT: Final = re.compile(r"(of|where) \{the\}|\{the\} (down|out|from)|one made")
_DRAWS: Final = 24  # wordings among which a register is sought


def order_for(plan: EditPlan, rng: np.random.Generator, *, in_full: bool = True) -> str:
    """The plan as one sentence that orders, without a full stop.

    `in_full`: the targets' places and the extent of a resizing are told wherever they are known.
    """
    if plan.operation != "composite":
        return capitalised(_order(plan, rng, in_full=in_full))
    return capitalised(_as_one(_clauses(plan.parts, rng, in_full=in_full), rng))


def paraphrases(plan: EditPlan, instruction: str, rng: np.random.Generator) -> tuple[str, ...]:
    """The same in the registers of REGISTERS, each worded unlike the others and unlike the instruction."""
    in_full = "percent" in instruction or any(
        _place_is_said(part, instruction) for part in plan.parts or (plan,)
    )
    drawn = {order_for(plan, rng, in_full=in_full): None for _ in range(_DRAWS)}
    orders = [order for order in drawn if order != instruction] or [instruction]
    short = min(orders, key=len)
    others = [order for order in orders if order != short] or orders
    casual, question = (_wrapped(register, choose(rng, orders), rng) for register in ("casual", "question"))
    imperative = choose(rng, others)
    if imperative in (short, instruction):
        imperative = f"Please {_lowered(imperative)}"
    if short == instruction:
        short = f"{short}, please"
    return short, casual, imperative, question


def _place_is_said(part: EditPlan, instruction: str) -> bool:
    target = part.target
    if target is None:
        return False
    ways = PLACE_WORDS[target.place] if target.place is not None else ()
    return target.beside is not None or any(way in instruction for way in ways)


def _wrapped(register: str, order: str, rng: np.random.Generator) -> str:
    ways: list[str] = list(templates()[register]["orders"])
    if order.startswith("Let "):
        ways = [way for way in ways if not way.startswith("Let's")]
    if order.endswith(" is"):
        ways = [way for way in ways if not way.endswith("for me?")]
    return choose(rng, ways).format(order=_lowered(order))


def _lowered(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]


# ---- Several orders --------------------------------------------------------------------------------------


def _as_one(clauses: list[str], rng: np.random.Generator) -> str:
    """Orders in a row, as one sentence."""
    lowered = [clauses[0], *(_lowered(clause) for clause in clauses[1:])]
    if len(lowered) > 2:
        return ", ".join(lowered[:-1]) + f", and {lowered[-1]}"
    if len(lowered) == 1:
        return lowered[0]
    if any(re.search(r" and |, ", clause) for clause in lowered):
        return ", then ".join(lowered)
    return choose(rng, (" and ", " and ", ", then ")).join(lowered)


def _clauses(parts: Sequence[EditPlan], rng: np.random.Generator, *, in_full: bool) -> list[str]:
    clauses: list[str] = []
    kind_before: str | None = None
    for run in _runs(parts):
        if isinstance(run, _Moved):
            clauses.append(f"Move {pointed_at(run.target, rng)} {_destination(run.thing)}")
            kind_before = None
            continue
        sure = [in_full or _mistakable(part, parts) for part in run]
        if len(run) > 1:
            clauses.append(_together(run, sure, rng))
            kind_before = None
            continue
        (part,) = run
        pronoun = part.target is not None and part.target.kind == kind_before
        clauses.append(_order(part, rng, in_full=sure[0], joined=True, pronoun=pronoun))
        kind_before = result_kind(part)
    return clauses


class _Moved:
    """A thing that is taken out and put in elsewhere."""

    def __init__(self, target: Description, thing: Description) -> None:
        self.target = target
        self.thing = thing


def _runs(parts: Sequence[EditPlan]) -> Iterator[list[EditPlan] | _Moved]:
    """The parts in order, grouped where one verb serves several of them."""
    left = list(parts)
    runs: list[list[EditPlan] | _Moved] = []
    while left:
        part = left.pop(0)
        move = next((other for other in left if _is_move(part, other)), None)
        if move is not None and part.target is not None and move.thing is not None:
            left.remove(move)
            runs.append(_Moved(part.target, move.thing))
            continue
        again = next((other for other in left if _is_again(part, other)), None)
        if again is not None:
            left.remove(again)
            runs.append([part, again])
        else:
            runs.append([part])
    for key, group in groupby(enumerate(runs), key=lambda item: _verb(item[0], item[1])):
        gathered = [run for _, run in group]
        if isinstance(key, int):
            yield gathered[0]
        else:
            alone = [run[0] for run in gathered if not isinstance(run, _Moved)]
            yield sorted(alone, key=_neighbour_told) if key == "remove" else alone


def _neighbour_told(part: EditPlan) -> bool:
    """Last in a list: else "the cat next to the dog and the dog" could be taken for one place."""
    return part.target is not None and part.target.beside is not None


def _verb(index: int, run: list[EditPlan] | _Moved) -> Any:
    """Equal for neighbours that one verb can serve; the index for those that stand alone."""
    if isinstance(run, _Moved) or len(run) > 1:
        return index
    part = run[0]
    if part.operation == "resize":
        return f"resize {part.value}"
    return part.operation if part.operation in _TOGETHER and part.value != "plain" else index


def _is_move(first: EditPlan, second: EditPlan) -> bool:
    if first.operation != "remove" or second.operation != "add" or not first.target or not second.thing:
        return False
    return _look(first.target) == _look(second.thing)


def _look(thing: Description) -> tuple[str, str | None, str | None]:
    return thing.kind, thing.colour, thing.material


def _is_again(first: EditPlan, second: EditPlan) -> bool:
    """Whether both ask the same of the same, the first thing or the whole picture."""
    same = (first.operation, first.value) == (second.operation, second.value)
    if not same or first.operation not in ("resize", "color_correction"):
        return False
    return (first.target and first.target.kind) == (second.target and second.target.kind)


def _destination(thing: Description) -> str:
    if thing.beside is not None:
        return "next to " + pointed_at(Description(thing.beside), None)
    return str(templates()["moved"][thing.place or "anywhere"])


def _mistakable(part: EditPlan, parts: Sequence[EditPlan]) -> bool:
    """Whether another part brings in a thing of the target's kind."""
    return part.target is not None and any(
        other is not part and other.thing is not None and other.thing.kind == part.target.kind
        for other in parts
    )


def _together(run: list[EditPlan], sure: list[bool], rng: np.random.Generator) -> str:
    part = run[0]
    if _is_again(part, run[1]):
        way = choose(rng, templates()["twice"][part.value])
        return way.format(the="" if part.target is None else pointed_at(part.target, rng, sure[0]))
    words = templates()["together"][part.value if part.operation == "resize" else part.operation]
    items = [
        words["item"].format(**_words(one, rng, in_full=told)) for one, told in zip(run, sure, strict=True)
    ]
    listed = f"{', '.join(items[:-1])} and {items[-1]}"
    return choose(rng, words["orders"]).format(items=listed)


# ---- One order -------------------------------------------------------------------------------------------


def _order(
    plan: EditPlan, rng: np.random.Generator, *, in_full: bool, joined: bool = False, pronoun: bool = False
) -> str:
    words = templates()
    value = plan.value or ""
    ways: list[str] = list(
        words["sentences"].get(plan.operation, {}).get(value) or words["orders"][plan.operation]
    )
    if plan.operation == "resize" and in_full and not pronoun:
        ways = list(words["exactly"][value])
    if plan.operation == "material" and value == "plain":
        ways = list(ORDINARY)
    if joined and plan.target is None and plan.operation not in ("weather", "add"):
        ways = [way for way in ways if not _PICTURE_AS_IT.search(way)]
    if pronoun:
        ways = [way for way in ways if not _PRONOUN_FITS_NOT.search(way)]
    return choose(rng, ways).format(**_words(plan, rng, in_full=in_full, pronoun=pronoun))


def _words(
    plan: EditPlan, rng: np.random.Generator, *, in_full: bool, pronoun: bool = False
) -> dict[str, str]:
    values = templates()["values"].get(plan.operation, {})
    said = choose(rng, values.get(plan.value, (plan.value or "",)))
    new = plan.thing
    named = "" if new is None else naming(new)
    if plan.operation == "material" and plan.value == "plain":
        named = f"ordinary {named}"
    the = "" if plan.target is None else pointed_at(plan.target, rng, in_full)
    return {
        "the": "it" if pronoun else the,
        "a": with_article(named) if named else "",
        "where": placing(new, rng) if new is not None and plan.operation == "add" else "",
        "value": said,
        "value_a": with_article(said) if said else "",
        "there": choose(rng, templates()["there"][plan.value]) if plan.operation == "background" else "",
    }


def pointed_at(target: Description, rng: np.random.Generator | None, sure: bool = True) -> str:
    """The target as a reader finds it; `sure`: with its place wherever that is known."""
    words = f"the {naming(target)}"
    if rng is None or not (sure or rng.random() < 0.35):
        return words
    return words + placing(target, rng)
