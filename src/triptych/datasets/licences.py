"""What is known of the licences of models, and which of them let their outputs train a competing model."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from triptych.datasets.dataset import Origin
from triptych.records import Spec

_OURS = "triptych."


@dataclass(frozen=True, slots=True)
class Licence:
    """A model's licence."""

    name: str
    outputs_may_train: bool


_APACHE = Licence("Apache-2.0", outputs_may_train=True)
_FLUX = Licence("FLUX non-commercial", outputs_may_train=False)

# The first that matches the name of a model, in lower case, with its separators made "-".
_MODELS: tuple[tuple[str, Licence], ...] = (
    (r"flux-?1?-?schnell", _APACHE),
    (r"flux-?1?-?(kontext-)?dev", _FLUX),
    (r"klein-?9b", _FLUX),
    (r"klein-?4b", _APACHE),
    (r"qwen-image-edit", _APACHE),
    (r"step1x-edit", _APACHE),
)


def licence_of(spec: Spec) -> Licence | None:
    """The licence of a role's model by the names in its spec; None where it isn't known."""
    if spec.backend.startswith(_OURS):
        return _APACHE
    for text in (spec.backend, *_texts(spec.settings.values())):
        name = re.sub(r"[\W_]+", "-", text.lower())
        for pattern, licence in _MODELS:
            if re.search(pattern, name):
                return licence
    return None


def restricting(origins: Iterable[Origin]) -> list[str]:
    """Models among these runs' whose outputs may not train a competing model, told in words."""
    found = {
        f"{role} {spec.backend} ({licence.name})"
        for origin in origins
        for role, spec in origin.specs.items()
        if (licence := licence_of(spec)) is not None and not licence.outputs_may_train
    }
    return sorted(found)


def _texts(values: Iterable[object]) -> list[str]:
    return [value for value in values if isinstance(value, str)]
