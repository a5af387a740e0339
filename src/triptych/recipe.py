"""A whole run as one short YAML file: read, checked, and its mistakes told in one line each."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from triptych.errors import RecipeError
from triptych.pixels.picture import ImageFormat
from triptych.records import Json
from triptych.validator.rule import Rule

_SHIPPED = Path(__file__).with_name("recipes")  # in a wheel; in a clone they are at the top

Policy = Literal["uniform", "best_of", "until_accepted"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RoleRecipe(_Part):
    """Which back end fills a role, and how. `editor: studio` is short for `editor: {backend: studio}`."""

    backend: str = Field(description="a name this package knows, or package.module:Class")
    settings: dict[str, Any] = Field(default_factory=dict, description="the back end's own settings")
    workers: int | None = Field(default=None, ge=1, description="calls at once")
    price_per_call: float | None = Field(default=None, ge=0)
    seconds_per_call: float | None = Field(
        default=None, ge=0, description="nominal model-seconds of one call"
    )

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, values: object) -> object:
        return {"backend": values} if isinstance(values, str) else values


class Photographs(_Part):
    """Sources from a folder of photographs instead of a painter."""

    folder: Path
    fit: Literal["crop", "pad"] = "crop"
    largest_megapixels: float = Field(
        default=100, gt=0, description="a larger file is refused before it is decoded"
    )


class Multiply(_Part):
    """More triplets from those that were accepted."""

    inverse: bool = Field(
        default=False, description="an inverse of every selected triplet, and the check it gives"
    )
    composites_per_source: int = Field(
        default=0, ge=0, description="at most so many pairs of a source's edits are joined; needs inverse"
    )


class Budget(_Part):
    """Hard caps over the whole run; None: no cap. Retries count."""

    calls: dict[Literal["writer", "painter", "screen", "editor", "soft_filter", "validator"], int] = Field(
        default_factory=dict
    )
    model_seconds: float | None = Field(default=None, gt=0)
    wall_seconds: float | None = Field(
        default=None, gt=0, description="of this command, not of the whole run"
    )


class Retries(_Part):
    """How long to go on asking. Infrastructure errors never spend an attempt."""

    model_errors: int = Field(
        default=3, ge=1, description="tries of one call before the model's error is final"
    )
    patience_seconds: float = Field(
        default=600, ge=0, description="how long a role may stay unreachable before the run stops"
    )


class Recipe(_Part):
    """Everything that decides what a run makes."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    seed: int = Field(default=0, ge=0)
    scenes: int = Field(default=0, ge=0, description="scenes to write; 0 with photographs")
    sources_per_scene: int = Field(default=2, ge=1, description="seeds painted for each scene (N)")
    edits_per_scene: int = Field(default=5, ge=1, description="instructions for each scene (k)")
    attempts: int = Field(default=5, ge=1, description="tries at each (source, edit) (M)")
    megapixels: float = Field(default=1.0, gt=0.01, le=4)
    categories: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    policy: Policy = "best_of"
    photographs: Photographs | None = None
    image_format: ImageFormat = "jpeg"
    writer: RoleRecipe
    painter: RoleRecipe | None = None
    screen: RoleRecipe | None = None
    editor: RoleRecipe
    soft_filter: RoleRecipe
    validator: RoleRecipe
    multiply: Multiply = Multiply()
    rule: Rule = Rule()
    budget: Budget = Budget()
    retries: Retries = Retries()

    @model_validator(mode="after")
    def _sources_from_one_place(self) -> Recipe:
        if self.photographs is None and (self.painter is None or self.screen is None or self.scenes == 0):
            raise ValueError("give either photographs, or scenes (at least 1) with a painter and a screen")
        if self.photographs is not None and self.scenes:
            raise ValueError("give either photographs or scenes, not both; two recipes can share a data set")
        if self.multiply.composites_per_source and not self.multiply.inverse:
            raise ValueError("multiply.composites_per_source needs multiply.inverse: true")
        return self


def load_recipe(path: Path, overrides: Iterable[str] = ()) -> Recipe:
    """Read a recipe; `overrides` are `key=value` with dotted keys, values in YAML.

    A bare name that is no file, like `quickstart`, is looked for among the recipes in the installed package.

    Raises RecipeError with one line for each mistake. A relative photograph folder is taken from the recipe's
    own folder.
    """
    shipped = _SHIPPED / f"{path.name}.yaml"
    if len(path.parts) == 1 and not path.exists() and shipped.exists():
        path = shipped
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RecipeError(
            f"no recipe at {path}; give the path of one, or a name that ships, e.g. quickstart"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} can't be read as a recipe ({error}); give a YAML text file") from None
    return parse_recipe(text, overrides, origin=str(path), base=path.parent)


def parse_recipe(text: str, overrides: Iterable[str] = (), *, origin: str, base: Path) -> Recipe:
    """As `load_recipe`, from the text itself; `origin` names it in messages."""
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        line = f", line {place.line + 1}" if place else ""
        raise RecipeError(f"{origin}{line}: not valid YAML; check the indentation and colons there") from None
    if not isinstance(values, dict):
        raise RecipeError(f"{origin}: a recipe is a mapping of keys to values; see recipes/quickstart.yaml")
    for override in overrides:
        _apply_override(values, override)
    try:
        recipe = Recipe.model_validate(values)
    except ValidationError as error:
        raise RecipeError("; ".join(_told(problem, origin) for problem in error.errors())) from None
    if recipe.photographs and not recipe.photographs.folder.is_absolute():
        folder = (base / recipe.photographs.folder).resolve()
        photographs = recipe.photographs.model_copy(update={"folder": folder})
        recipe = recipe.model_copy(update={"photographs": photographs})
    return recipe


def dump_recipe(recipe: Recipe) -> str:
    """The recipe as YAML that `parse_recipe` reads back to an equal recipe."""
    return yaml.safe_dump(recipe.model_dump(mode="json", exclude_defaults=True), sort_keys=False)


def _apply_override(values: dict[str, Any], override: str) -> None:
    key, sign, text = override.partition("=")
    if not sign or not key.strip():
        raise RecipeError(f"--set {override}: write it as key=value, e.g. --set threshold=4.5")
    path = key.strip().split(".")
    if path[0] not in Recipe.model_fields and path[0] in Rule.model_fields:
        path.insert(0, "rule")  # --set threshold=4.5 is short for rule.threshold
    node = values
    for step in path[:-1]:
        child = node.get(step)
        if isinstance(child, str):
            child = {"backend": child}
        node[step] = dict(child) if isinstance(child, Mapping) else {}
        node = node[step]
    try:
        node[path[-1]] = yaml.safe_load(text)
    except yaml.YAMLError:
        raise RecipeError(f"--set {override}: the value is not valid YAML; quote it") from None


def _told(problem: Mapping[str, Any], origin: str) -> str:
    place = [str(step) for step in problem["loc"]]
    where = ".".join(place) or "the recipe"
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(place[-1], _known_keys(place[:-1]), n=1, cutoff=0.5)
        mend = f"did you mean {near[0]!r}?" if near else "remove it; docs/recipes.md lists the keys"
        return f"{origin}: unknown key {where!r}; {mend}"
    if problem["type"] == "missing":
        return f"{origin}: {where!r} is missing; add it (recipes/quickstart.yaml shows one)"
    message = str(problem["msg"]).removeprefix("Value error, ")
    shown = "" if isinstance(problem["input"], dict | BaseModel) else f" (given: {problem['input']!r})"
    return f"{origin}: {where}: {message}{shown}"


def _known_keys(path: Iterable[str]) -> list[str]:
    model: type[BaseModel] = Recipe
    for step in path:
        found = model.model_fields.get(step)
        kinds = [found.annotation, *getattr(found.annotation, "__args__", ())] if found else []
        models = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if not models:
            return []
        model = models[0]
    return list(model.model_fields)


def settings_of(role: RoleRecipe) -> Mapping[str, Json]:
    """The back end's own settings, as plain JSON."""
    return dict(role.settings)
