"""From a role's config to its back end: found by name, checked for what the role needs."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

from triptych.errors import RecipeError
from triptych.records import RoleName
from triptych.roles import Backend, RoleConfig

METHODS: Mapping[RoleName, str] = {
    "writer": "write",
    "painter": "paint",
    "screen": "judge",
    "editor": "edit",
    "soft_filter": "judge",
    "validator": "judge",
    "embedder": "embed",
}


def load_backend(config: RoleConfig) -> Backend:
    """The back end that a config names, checked for what its role needs. RecipeError says what is missing."""
    module_name, _, class_name = config.backend.partition(":")
    if not class_name:
        raise RecipeError(f"{config.role}: {config.backend!r} is not of the form package.module:Class")
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except ModuleNotFoundError as error:
        raise RecipeError(
            f"{config.role}: {config.backend} can't be imported ({error}); install it or mend the name"
        ) from None
    except AttributeError:
        raise RecipeError(
            f"{config.role}: {module_name} has no class {class_name!r}; mend the name"
        ) from None
    method = METHODS[config.role]
    missing = [name for name in ("Settings", "revision", "placement", method) if not hasattr(found, name)]
    if missing:
        raise RecipeError(
            f"{config.role}: {config.backend} lacks {', '.join(missing)}; docs/backends.md has the contract"
        )
    loaded: Backend = found(config)
    return loaded
