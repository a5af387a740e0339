"""`--where`: conditions on a triplet, such as `category=add_object,remove_object` or `adherence>=4.8`.

    CONDITION  =  FIELD OPERATOR VALUE[,VALUE…]
    FIELD      =  category | style | kind | origin                 (texts: = and !=, any of the values)
                | adherence | aesthetics | score | width | height  (numbers: = != < <= > >=, one value)

`score` is √(adherence·aesthetics). Several conditions all have to hold. Nothing is evaluated as code.
"""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from triptych.datasets.dataset import style_of
from triptych.errors import UserError
from triptych.mining.select import Triplet

_TEXTS: Mapping[str, Callable[[Triplet], str]] = {
    "category": lambda triplet: triplet.category,
    "style": lambda triplet: style_of(triplet.scene),
    "kind": lambda triplet: triplet.kind,
    "origin": lambda triplet: triplet.scene.origin,
}
_NUMBERS: Mapping[str, Callable[[Triplet], float]] = {
    "adherence": lambda triplet: triplet.scores.adherence,
    "aesthetics": lambda triplet: triplet.scores.aesthetics,
    "score": lambda triplet: triplet.scores.geometric_mean,
    "width": lambda triplet: triplet.width,
    "height": lambda triplet: triplet.height,
}
_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_CONDITION = re.compile(r"\s*(\w+)\s*(!=|<=|>=|=|<|>)\s*(.+?)\s*")
_EXAMPLE = "write it like category=add_object,remove_object or adherence>=4.8"


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition, as it was written and as a test."""

    text: str
    holds: Callable[[Triplet], bool]


def parse_condition(text: str) -> Condition:
    """UserError where it can't be read as a condition."""
    matched = _CONDITION.fullmatch(text)
    if matched is None:
        raise UserError(f"--where {text!r} is no condition: {_EXAMPLE}")
    name, sign, value = matched.groups()
    if name in _TEXTS:
        return Condition(text, _text_test(text, _TEXTS[name], sign, value))
    if name in _NUMBERS:
        return Condition(text, _number_test(text, _NUMBERS[name], sign, value))
    known = [*_TEXTS, *_NUMBERS]
    near = difflib.get_close_matches(name, known, n=1)
    mend = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
    raise UserError(f"--where {text!r}: there is no field {name!r}; {mend}")


def _text_test(text: str, read: Callable[[Triplet], str], sign: str, value: str) -> Callable[[Triplet], bool]:
    if sign not in ("=", "!="):
        raise UserError(f"--where {text!r}: texts are compared with = or !=")
    values = frozenset(part.strip() for part in value.split(","))
    wanted = sign == "="
    return lambda triplet: (read(triplet) in values) == wanted


def _number_test(
    text: str, read: Callable[[Triplet], float], sign: str, value: str
) -> Callable[[Triplet], bool]:
    try:
        number = float(value)
    except ValueError:
        raise UserError(f"--where {text!r}: {value!r} is no number") from None
    compare = _OPERATORS[sign]
    return lambda triplet: compare(read(triplet), number)


def values_of(triplets: Iterable[Triplet]) -> str:
    """The values that texts take, for who chose none of them."""
    found: dict[str, set[str]] = {name: set() for name in _TEXTS}
    for triplet in triplets:
        for name, read in _TEXTS.items():
            found[name].add(read(triplet))
    return "; ".join(f"{name}: {', '.join(sorted(values))}" for name, values in found.items())
