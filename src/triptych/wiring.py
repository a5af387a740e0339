"""The back ends that ship, by the names a recipe gives them: the one place that knows both."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path

import orjson
from pydantic import ValidationError

from triptych import __version__
from triptych.engines.loading import load_backend
from triptych.errors import RecipeError
from triptych.mining.jobs import CHECKS_SPEC, importer_spec
from triptych.mining.state import Plan
from triptych.recipe import Recipe, RoleRecipe, dump_recipe, settings_of
from triptych.records import RoleName, Spec, hash_bytes
from triptych.roles import RoleConfig

_STUDIO = "triptych.backends.studio"
_OPENAI = "triptych.backends.openai"
_GEMINI = "triptych.backends.gemini"
_DIFFUSERS = "triptych.backends.diffusers"
_TRANSFORMERS = "triptych.backends.transformers"
_CHAT_JUDGES = {
    "openai": f"{_OPENAI}:OpenAIJudge",
    "gemini": f"{_GEMINI}:GeminiJudge",
    "transformers": f"{_TRANSFORMERS}:TransformersJudge",
}
SHIPPED: Mapping[RoleName, Mapping[str, str]] = {
    "writer": {
        "studio": f"{_STUDIO}.writer:StudioWriter",
        "openai": f"{_OPENAI}:OpenAIWriter",
        "gemini": f"{_GEMINI}:GeminiWriter",
        "transformers": f"{_TRANSFORMERS}:TransformersWriter",
    },
    "painter": {
        "studio": f"{_STUDIO}.painter:StudioPainter",
        "openai": f"{_OPENAI}:OpenAIPainter",
        "diffusers": f"{_DIFFUSERS}:DiffusersPainter",
    },
    "screen": {"studio": f"{_STUDIO}.judge.backend:StudioScreen", **_CHAT_JUDGES},
    "editor": {
        "studio": f"{_STUDIO}.editor:StudioEditor",
        "openai": f"{_OPENAI}:OpenAIEditor",
        "gemini": f"{_GEMINI}:GeminiEditor",
        "diffusers": f"{_DIFFUSERS}:DiffusersEditor",
    },
    "soft_filter": {"studio": f"{_STUDIO}.judge.backend:StudioSoftFilter", **_CHAT_JUDGES},
    "validator": {"studio": f"{_STUDIO}.judge.backend:StudioValidator", **_CHAT_JUDGES},
    "embedder": {"lexical": "triptych.backends.lexical:LexicalEmbedder"},
}


_JUDGES: frozenset[RoleName] = frozenset({"screen", "soft_filter", "validator"})


def role_configs(recipe: Recipe, run_folder: Path) -> dict[RoleName, RoleConfig]:
    """A picklable config for every role that the recipe fills. RecipeError where a name is unknown."""
    filled: dict[RoleName, RoleRecipe | None] = {
        "writer": recipe.writer,
        "painter": recipe.painter,
        "screen": recipe.screen,
        "editor": recipe.editor,
        "soft_filter": recipe.soft_filter,
        "validator": recipe.validator,
        "embedder": recipe.embedder if recipe.multiply.paraphrases else None,
    }
    return {
        role: RoleConfig(
            role=role,
            backend=_target(role, part.backend),
            settings=settings_of(part),
            workers=part.workers,
            price_per_call=part.price_per_call,
            seconds_per_call=part.seconds_per_call,
            timeout=part.timeout_seconds,
            run_folder=Path() if role in _JUDGES else run_folder,  # what the studio knows is none of theirs
            image_format=recipe.image_format,
        )
        for role, part in filled.items()
        if part is not None
    }


def plan_of(recipe: Recipe, configs: Mapping[RoleName, RoleConfig]) -> Plan:
    """The recipe with the specs of its back ends, which are loaded for it (weights are not)."""
    specs: dict[RoleName, Spec] = {"checks": CHECKS_SPEC}
    for role, config in configs.items():
        try:
            specs[role] = load_backend(config).spec
        except ValidationError as error:
            told = "; ".join(
                f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()
            )
            raise RecipeError(
                f"settings of the {role.replace('_', ' ')} ({config.backend}): {told}"
            ) from None
    if recipe.photographs is not None:
        specs["importer"] = importer_spec(recipe.photographs.fit, recipe.megapixels)
    scorer = None
    if recipe.rule.calibration is not None:
        from triptych.validator.scoring import PairScorer

        scorer = PairScorer.load(recipe.rule.calibration, signal_specs(specs))
    return Plan(recipe, specs, scorer)


def plan_key(plan: Plan) -> str:
    """Hash of all that decides what facts mean: recipe and rule, back ends, calibration, version."""
    calibration = plan.recipe.rule.calibration
    parts = [
        __version__,
        dump_recipe(plan.recipe),
        sorted(spec.id for spec in plan.specs.values()),
        None if calibration is None else hash_bytes(calibration.read_bytes()),
    ]
    return hash_bytes(orjson.dumps(parts))


def signal_specs(specs: Mapping[RoleName, Spec]) -> dict[str, str]:
    """Spec ids of the judges and checks that a calibration may read, by role."""
    roles: tuple[RoleName, ...] = ("soft_filter", "validator", "checks")
    return {role: specs[role].id for role in roles if role in specs}


def _target(role: RoleName, name: str) -> str:
    if ":" in name:
        return name
    known = SHIPPED[role]
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1)
    mend = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}, or package.module:Class"
    raise RecipeError(f"{role.replace('_', ' ')}: no back end is called {name!r}; {mend}")
