"""What is known of the licences of models, and which of them let their outputs train a competing model."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources

from triptych.datasets.dataset import Origin
from triptych.records import Spec

_OURS = "triptych.backends.studio."  # what it makes comes from this package alone


@dataclass(frozen=True, slots=True)
class Licence:
    """A model's licence."""

    name: str
    outputs_may_train: bool


_APACHE = Licence("Apache-2.0", outputs_may_train=True)


@cache
def _models() -> tuple[tuple[re.Pattern[str], Licence], ...]:
    """The data file, in its order."""
    text = resources.files(__package__).joinpath("licences.toml").read_text(encoding="utf-8")
    return tuple(
        (re.compile(entry["name"]), Licence(entry["licence"], outputs_may_train=entry["outputs_may_train"]))
        for entry in tomllib.loads(text)["model"]
    )


def _licences() -> Iterable[Licence]:
    return (licence for _, licence in _models())


def licence_of(spec: Spec) -> Licence | None:
    """The licence of a role's model by the names in its spec; None where it isn't known."""
    if spec.backend.startswith(_OURS):
        return _APACHE
    for text in (spec.backend, *_texts(spec.settings.values())):
        name = _plain(text)
        for pattern, licence in _models():
            if pattern.search(name):
                return licence
    return None


def terms_let_train(terms: str) -> bool:
    """Whether answers under these terms may train another such model; False where that isn't known."""
    wanted = _plain(terms)
    return any(_plain(licence.name) == wanted and licence.outputs_may_train for licence in _licences())


def restricting(origins: Iterable[Origin]) -> list[str]:
    """Models and APIs of these runs whose outputs may not train a competing model, told in words.

    Terms that calls came under count with licences: those that nothing is known of too.
    """
    found = set()
    for origin in origins:
        for role, spec in origin.specs.items():
            licence = licence_of(spec)
            if licence is not None and not licence.outputs_may_train:
                found.add(f"{role} {spec.backend} ({licence.name})")
        for role, told in origin.terms.items():
            found |= {f"{role} ({terms})" for terms in told if not terms_let_train(terms)}
    return sorted(found)


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "-", name.lower())


def _texts(values: Iterable[object]) -> list[str]:
    return [value for value in values if isinstance(value, str)]
