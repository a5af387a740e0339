"""Instructions: an edit plan in words, by the templates of wording.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from triptych.backends.studio.edits import EditPlan
from triptych.backends.studio.prompts import (
    Description,
    capitalised,
    choose,
    naming,
    placing,
    with_article,
)

ORDINARY = ("Change {the} into {a}", "Turn {the} into {a}", "Make {the} {a}")
LOOSE_SHARE = 0.4


@cache
def templates() -> Mapping[str, Any]:
    """The tables of wording.toml."""
    text = files("triptych.backends.studio").joinpath("wording.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def instruction_for(plan: EditPlan, rng: np.random.Generator) -> str:
    """One of the plan's wordings, without a closing full stop except where it ends several sentences."""
    if plan.operation == "composite":
        return _joined([_worded(part, rng, orders_only=True) for part in plan.parts], rng)
    return capitalised(_worded(plan, rng, orders_only=False))


def _joined(orders: list[str], rng: np.random.Generator) -> str:
    first, second = orders
    lowered = second[0].lower() + second[1:]
    patterns = (
        f"{first} and {lowered}",
        f"{first}, and {lowered}",
        f"{first}, then {lowered}",
        f"{first}. Also, {lowered}.",
        f"{first} and also {lowered}",
    )
    return capitalised(choose(rng, patterns))


def _worded(plan: EditPlan, rng: np.random.Generator, *, orders_only: bool) -> str:
    value = plan.value or ""
    words = templates()
    ways: list[str] = list(words["sentences"].get(plan.operation, {}).get(value, ()))
    if not ways:
        loose = not orders_only and rng.random() < LOOSE_SHARE
        ways = words["loose" if loose else "orders"][plan.operation]
    new = plan.thing
    naming_new = with_article(naming(new)) if new is not None else ""
    if plan.operation == "material" and value == "plain" and new is not None:
        ways, naming_new = list(ORDINARY), with_article(f"ordinary {naming(new)}")
    said = choose(rng, words["values"].get(plan.operation, {}).get(value, (value,)))
    return choose(rng, ways).format(
        the=the(plan.target, rng) if plan.target is not None else "",
        a=naming_new,
        where=placing(new, rng) if new is not None and plan.operation == "add" else "",
        value=said,
        value_a=with_article(said) if said else "",
        there=choose(rng, words["there"][value]) if plan.operation == "background" else "",
    )


def the(target: Description, rng: np.random.Generator) -> str:
    """The target as the reader will find it: with its place only now and then, where one is known."""
    words = f"the {naming(target)}"
    if target.place is not None and rng.random() < 0.35:
        words += placing(target, rng)
    return words
