"""Which orders of an instruction were carried out, by the scene graphs of both pictures: labels to learn."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan
from typing import Any, Final

from triptych.backends.studio.catalogue import natural_colour
from triptych.backends.studio.edits import OPPOSITE_GRADES
from triptych.backends.studio.judge.reading import Mention, Order, read_instruction

Row = dict[str, Any]
UNKNOWN: Final = float("nan")
FIELDS: Final[Mapping[str, str]] = {
    "background": "setting",
    "time_of_day": "time",
    "season": "season",
    "weather": "weather",
    "style": "style",
    "degrade": "degradation",
}
LEAST_GROWTH: Final = 1.3
PLAIN_GHOST: Final = 0.25


def carried_out(row: Row) -> list[float]:
    """For each order that is read in the instruction: 1 carried out, 0 not, NaN: can't be told."""
    orders = read_instruction(row["instruction"])
    parts = row["plan"]["parts"] or [row["plan"]]
    flaws = dict(row["truth"]["flaws"])
    if "trivial" in flaws or "ignored" in flaws:
        return [0.0] * len(orders)
    done: list[float] = []
    for order in orders:
        part = next((part for part in parts if _same(order, part)), None)
        told = UNKNOWN if part is None else _done(part, row["source_scene"], row["scene"])
        if part is not None and isnan(told) and not _brought_in(part, parts):
            told = 0.0  # about what isn't there
        if part is not None and part["target"] is not None and told == 1 and _ghostly(flaws):
            told = 0.0 if len(orders) == 1 else UNKNOWN
        done.append(told)
    return done


def _brought_in(part: Row, parts: list[Row]) -> bool:
    """Whether another part puts in a thing of the kind that this one is about."""
    kind = (part["target"] or {}).get("kind")
    return any(other is not part and (other["thing"] or {}).get("kind") == kind for other in parts)


def _ghostly(flaws: Mapping[str, float]) -> bool:
    return flaws.get("ghost", 0.0) > PLAIN_GHOST or flaws.get("partial", 0.0) > PLAIN_GHOST


def _same(order: Order, part: Row) -> bool:
    return (
        order.operation == part["operation"]
        and (order.value or None) == (part["value"] or None)
        and _kind(order.target) == (part["target"] or {}).get("kind")
        and (order.operation not in ("add", "replace") or _kind(order.thing) == part["thing"]["kind"])
    )


def _kind(mention: Mention | None) -> str | None:
    return None if mention is None else mention.kind


def _done(part: Row, before: Row, after: Row) -> float:
    operation, value = part["operation"], part["value"]
    if operation in FIELDS:
        return float(after[FIELDS[operation]] == value)
    if operation == "restore":
        return float(after["degradation"] is None)
    if operation == "color_correction":
        cleared = after["grade"] is None and before["grade"] is not None
        return float(after["grade"] == value or (cleared and _clears(before["grade"], value)))
    if operation == "add":
        return float(bool(_new(part["thing"], before, after)))
    return _local(part, before, after)


def _clears(grade: str, value: str) -> bool:
    return OPPOSITE_GRADES.get(value) == grade


def _local(part: Row, before: Row, after: Row) -> float:
    targets = _found(part["target"], before)
    if not targets:
        return UNKNOWN
    now = {thing["id"]: thing for thing in after["things"]}
    return float(all(_changed(part, thing, now.get(thing["id"]), before, after) for thing in targets))


def _changed(part: Row, was: Row, now: Row | None, before: Row, after: Row) -> bool:
    operation, value = part["operation"], part["value"]
    if operation == "remove":
        return now is None or now["kind"] != was["kind"]
    if operation == "replace":
        if now is not None and now["kind"] == was["kind"] and now["kind"] != part["thing"]["kind"]:
            return False
        return bool(_new(part["thing"], before, after))
    if now is None or now["kind"] != was["kind"]:
        return False
    if operation == "color":
        return bool(now["colour"] == _worn(now["kind"], value) and now["material"] is None)
    if operation == "material":
        return bool(now["material"] == (None if value == "plain" else value))
    growth = now["height"] / was["height"]
    growth = growth if value == "bigger" else 1 / growth
    return bool(growth > LEAST_GROWTH)


def _worn(kind: str, colour: str | None) -> str | None:
    return None if colour == natural_colour(kind) else colour


def _look(thing: Row) -> tuple[str, str | None, str | None]:
    return thing["kind"], thing["colour"], thing["material"]


def _new(described: Row, before: Row, after: Row) -> list[Row]:
    """Things of the second scene that look as described and were not in the first."""
    wanted = described["kind"], _worn(described["kind"], described["colour"]), described["material"]
    old = {thing["id"]: _look(thing) for thing in before["things"]}
    return [t for t in after["things"] if _look(t) == wanted and old.get(t["id"]) != wanted]


def _found(described: Row, scene: Row) -> list[Row]:
    """The things that a description means: its kind, then whichever detail tells apart."""
    found = [thing for thing in scene["things"] if thing["kind"] == described["kind"]]
    for field in ("colour", "material"):
        if described[field] is not None:
            wanted = _worn(described["kind"], described[field]) if field == "colour" else described[field]
            found = [thing for thing in found if thing[field] == wanted] or found
    return found
