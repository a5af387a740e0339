"""A whole run as one short YAML file: read, checked, and its mistakes told in one line each."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    ValidationError,
    model_validator,
)

from triptych.brief import BriefRecipe, hash_of_requests
from triptych.errors import RecipeError
from triptych.records import ImageFormat, Json
from triptych.validator.rule import Rule

# In a wheel the recipes lie in the package, in a clone at its top.
_SHIPPED = Path(__file__).with_name("recipes"), Path(__file__).parents[2] / "recipes"

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

Residency = Literal["concurrent", "phased"]
Policy = Literal["uniform", "best_of", "until_accepted"]
_Asked = Literal["writer", "painter", "screen", "editor", "soft_filter", "validator", "embedder"]


def _no_truth_value(value: object) -> object:
    if isinstance(value, bool):  # YAML's yes, no, on, off, true and false
        raise ValueError("should be a number, not yes or no")  # noqa: TRY004  (pydantic tells ValueErrors)
    return value


def _seconds(value: object) -> object:
    """A length of time in seconds: `90s`, `20m`, `1.5h`, `2d`, or the number itself."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd])", value) if isinstance(value, str) else None
    return float(found[1]) * _UNITS[found[2]] if found else value


_Count = Annotated[int, BeforeValidator(_no_truth_value)]
_Number = Annotated[FiniteFloat, BeforeValidator(_no_truth_value)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RoleRecipe(_Part):
    """Which back end fills a role, and how. `editor: studio` is short for `editor: {backend: studio}`."""

    backend: str = Field(description="a name this package knows, or package.module:Class")
    settings: dict[str, Any] = Field(default_factory=dict, description="the back end's own settings")
    workers: _Count | None = Field(default=None, ge=1, description="calls at once")
    price_per_call: _Number | None = Field(default=None, ge=0)
    seconds_per_call: _Number | None = Field(
        default=None, ge=0, description="nominal model-seconds of one call"
    )
    timeout_seconds: _Number = Field(
        default=600, gt=0, description="a call without an answer by then counts as not reached"
    )
    repeats: _Count = Field(
        default=1, ge=1, le=100, description="of a judge: times that it is asked the same; the mean counts"
    )

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, values: object) -> object:
        return {"backend": values} if isinstance(values, str) else values


class Photographs(_Part):
    """Sources from a folder of photographs instead of a painter."""

    folder: Path
    fit: Literal["crop", "pad"] = "crop"
    largest_megapixels: _Number = Field(
        default=100, gt=0, description="a larger file is refused before it is decoded"
    )


class Multiply(_Part):
    """More triplets from those that were accepted."""

    inverse: bool = Field(
        default=False, description="an inverse of every selected triplet, and the check it gives"
    )
    composites_per_source: _Count = Field(
        default=0, ge=0, description="at most so many pairs of a source's edits are joined; needs inverse"
    )
    chains_per_source: _Count = Field(
        default=0,
        ge=0,
        description="at most so many edits are made on the result of another; needs inverse",
    )
    stacks: bool = Field(
        default=False, description="one instruction for both edits of a chain; needs chains_per_source"
    )
    paraphrases: bool = Field(
        default=False, description="other wordings of every instruction that leaves, their meaning compared"
    )


class Canaries(_Part):
    """Pairs that the validator is asked about again and again, to notice that it has changed."""

    pairs: _Count = Field(default=6, ge=0, description="how many; 0: no such watch is kept")
    after: _Count = Field(default=30, ge=1, description="verdicts before they are chosen from these")
    every: _Count = Field(default=100, ge=1, description="verdicts between two checks")
    tolerance: _Number = Field(
        default=0.3,
        ge=0,
        description="points that answers may be apart on average, beyond the judge's own noise",
    )


class Budget(_Part):
    """Hard caps over the whole run; None: no cap. Retries count."""

    calls: dict[_Asked, Annotated[_Count, Field(ge=0)]] = Field(default_factory=dict)
    model_seconds: _Number | None = Field(default=None, ge=0)
    wall: Annotated[_Number, BeforeValidator(_seconds), Field(ge=0)] | None = Field(
        default=None, description="of this command, not of the whole run: 20m, 2h, or a number of seconds"
    )


class Shard(_Part):
    """The part of a recipe's scenes that one of several machines mines; `Recipe.sharded` makes it."""

    index: _Count = Field(ge=1, description="which part, from 1")
    of: _Count = Field(ge=1, description="how many parts there are")

    @model_validator(mode="after")
    def _is_one_of_them(self) -> Shard:
        if self.index > self.of:
            raise ValueError(f"there is no part {self.index} of {self.of}; parts are 1 to {self.of}")
        return self

    def holds(self, opening: str) -> bool:
        """Whether the scene that this brief opens is in the part; its id alone decides."""
        return int(opening[:12], 16) % self.of == self.index - 1


class Retries(_Part):
    """How long to go on asking. Infrastructure errors never spend an attempt."""

    model_errors: _Count = Field(
        default=3, ge=1, description="tries of one call before the model's error is final"
    )
    patience_seconds: _Number = Field(
        default=600, ge=0, description="how long a role may stay unreachable before the run stops"
    )


class Recipe(_Part):
    """Everything that decides what a run makes."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    seed: _Count = Field(default=0, ge=0, le=2**31)
    scenes: _Count = Field(default=0, ge=0, description="scenes to write; 0 with photographs")
    sources_per_scene: _Count = Field(default=2, ge=1, description="seeds painted for each scene (N)")
    edits_per_scene: _Count = Field(default=5, ge=1, description="instructions for each scene (k)")
    attempts: _Count = Field(default=5, ge=1, description="tries at each (source, edit) (M)")
    megapixels: _Number = Field(default=1.0, gt=0.01, le=4)
    categories: tuple[str, ...] = ()
    brief: BriefRecipe = BriefRecipe()
    policy: Policy = "best_of"
    photographs: Photographs | None = None
    imported: bool = Field(
        default=False, description="judge and multiply pairs that `triptych import` brought, and make none"
    )
    image_format: ImageFormat = "jpeg"
    keep: Literal["all", "judged", "accepted", "sample"] = Field(
        default="all", description="which pictures of rejected attempts stay when a command ends"
    )
    durability: Literal["process", "power"] = Field(
        default="process", description="what is recorded outlives: a killed process, or a power cut as well"
    )
    residency: Residency = Field(
        default="concurrent", description="whether all local models are in the GPU's memory, or take turns"
    )
    writer: RoleRecipe
    painter: RoleRecipe | None = None
    screen: RoleRecipe | None = None
    editor: RoleRecipe | None = None
    soft_filter: RoleRecipe
    validator: RoleRecipe
    embedder: RoleRecipe = RoleRecipe(backend="lexical")
    multiply: Multiply = Multiply()
    rule: Rule = Rule()
    canaries: Canaries = Canaries()
    budget: Budget = Budget()
    retries: Retries = Retries()
    shard: Shard | None = Field(default=None, description="written by `mine --shard 3/8`")

    def sharded(self, index: int, of: int) -> Recipe:
        """This recipe for one of several machines: its part of the scenes, and its share of every cap.

        Caps are divided evenly, a remainder of calls to the first parts; wall time is each command's own.
        """
        try:
            shard = Shard(index=index, of=of)
        except ValidationError as error:
            raise RecipeError(f"--shard {index}/{of}: {_plain(error.errors()[0])}") from None
        budget = self.budget
        calls = {role: cap // of + (index <= cap % of) for role, cap in budget.calls.items()}
        seconds = None if budget.model_seconds is None else budget.model_seconds / of
        share = budget.model_copy(update={"calls": calls, "model_seconds": seconds})
        return self.model_copy(update={"shard": shard, "budget": share})

    @model_validator(mode="after")
    def _sources_from_one_place(self) -> Recipe:
        if self.imported:
            if self.photographs is not None or self.scenes:
                raise ValueError(
                    "give either imported, photographs or scenes; two recipes can share a data set"
                )
        elif self.editor is None:
            raise ValueError("'editor' is missing; add it (only a recipe with imported: true goes without)")
        elif self.photographs is None and (self.painter is None or self.screen is None or self.scenes == 0):
            raise ValueError("give either photographs, or scenes (at least 1) with a painter and a screen")
        if self.photographs is not None and self.scenes:
            raise ValueError("give either photographs or scenes, not both; two recipes can share a data set")
        if self.categories and self.brief.categories:
            raise ValueError("give either categories, in order, or brief.categories, as weights")
        for key in ("composites_per_source", "chains_per_source"):
            if getattr(self.multiply, key) and not self.multiply.inverse:
                raise ValueError(f"multiply.{key} needs multiply.inverse: true")
        if self.multiply.chains_per_source and self.editor is None:
            raise ValueError("multiply.chains_per_source needs an editor")
        if self.multiply.stacks and not self.multiply.chains_per_source:
            raise ValueError("multiply.stacks needs multiply.chains_per_source: 1 or more")
        return self


def load_recipe(path: Path, overrides: Iterable[str] = ()) -> Recipe:
    """Read a recipe; `overrides` are `key=value` with dotted keys, values in YAML.

    A bare name that is no file, like `quickstart`, is looked for among the recipes in the installed package.

    Raises RecipeError with one line for each mistake. A relative photograph folder, calibration or file of
    requests is taken from the recipe's own folder, one in an override from the current folder; `~` is home.
    """
    if len(path.parts) == 1 and not path.exists():
        path = next(filter(Path.exists, (folder / f"{path.name}.yaml" for folder in _SHIPPED)), path)
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
        values = yaml.load(text, _StrictLoader)  # noqa: S506  (a SafeLoader)
    except _DuplicateKey as error:
        raise RecipeError(f"{origin}, line {error.line}: {error.key!r} is given twice; keep one") from None
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        line = f", line {place.line + 1}" if place else ""
        raise RecipeError(f"{origin}{line}: not valid YAML; check the indentation and colons there") from None
    if not isinstance(values, dict):
        raise RecipeError(f"{origin}: a recipe is a mapping of keys to values; see recipes/quickstart.yaml")
    _place_paths(values, base)
    for override in overrides:
        _apply_override(values, override)
        _place_paths(values, Path.cwd())
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        raise RecipeError("; ".join(_told(problem, origin) for problem in error.errors())) from None


def dump_recipe(recipe: Recipe) -> str:
    """The recipe, defaults and all, as YAML that `parse_recipe` reads back to an equal recipe."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


class _DuplicateKey(Exception):
    def __init__(self, key: object, line: int) -> None:
        super().__init__(key, line)
        self.key = key
        self.line = line


class _StrictLoader(yaml.SafeLoader):
    """YAML's own loader keeps the last of two equal keys and says nothing."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = key_node.value
            if isinstance(key_node, yaml.ScalarNode) and key in seen and key != "<<":
                raise _DuplicateKey(key, key_node.start_mark.line + 1)
            if isinstance(key_node, yaml.ScalarNode):
                seen.add(key)
        return super().construct_mapping(node, deep)


def _place_paths(values: dict[str, Any], base: Path) -> None:
    """Make the folder of photographs, the calibration and the file of requests absolute; what is stays."""
    photographs = values.get("photographs")
    if isinstance(photographs, Mapping) and isinstance(photographs.get("folder"), str):
        values["photographs"] = {**photographs, "folder": _absolute(photographs["folder"], base)}
    rule = values.get("rule")
    if isinstance(rule, Mapping) and isinstance(rule.get("calibration"), str):
        values["rule"] = {**rule, "calibration": _absolute(rule["calibration"], base)}
    brief = values.get("brief")
    requests = brief.get("requests") if isinstance(brief, Mapping) else None
    if isinstance(requests, Mapping) and not requests.get("hash"):
        requests = requests.get("file")
    if isinstance(requests, str):
        file = _absolute(requests, base)
        values["brief"] = {**brief, "requests": {"file": file, "hash": hash_of_requests(Path(file))}}  # type: ignore[dict-item]


def _absolute(path: str, base: Path) -> str:
    return str((base / _home(Path(path))).resolve())


def _home(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:  # a user that this machine doesn't know
        return path


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


# Keys of earlier versions, in recipes and in run folders, and how they are written now.
_MOVED: Final = {"topics": "brief: {topics: […]}"}


def _told(problem: Mapping[str, Any], origin: str) -> str:
    place = [str(step) for step in problem["loc"]]
    where = ".".join(place) or "the recipe"
    if problem["type"] == "extra_forbidden":
        if where in _MOVED:
            return f"{origin}: {where!r} has moved: write {_MOVED[where]}, or remove it where it is empty"
        near = difflib.get_close_matches(place[-1], _known_keys(place[:-1]), n=1, cutoff=0.5)
        mend = f"did you mean {near[0]!r}?" if near else "remove it; docs/recipes.md lists the keys"
        return f"{origin}: unknown key {where!r}; {mend}"
    if problem["type"] == "missing":
        return f"{origin}: {where!r} is missing; add it (recipes/quickstart.yaml shows one)"
    message = _plain(problem)
    shown = "" if isinstance(problem["input"], dict | BaseModel) else f" (given: {problem['input']!r})"
    return f"{origin}: {where}: {message}{shown}"


def _plain(problem: Mapping[str, Any]) -> str:
    return str(problem["msg"]).removeprefix("Value error, ")


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
