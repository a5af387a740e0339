"""What the user wants scenes and instructions to be about: the `brief:` of a recipe."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import orjson
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from triptych.errors import RecipeError
from triptych.records import Json, hash_bytes
from triptych.roles import Guide

COMPOSITE = "composite"  # the category whose instructions join others; it comes last
EXAMPLES = 6  # of the user's requests that one scene's writer is shown
_KEYS = ("request", "instruction", "text", "prompt")  # of a line, where it is an object

_NAME = r"^[a-z][a-z0-9_]*$"


class Requests(BaseModel):
    """Requests of real users to be imitated: a file with one a line, JSON or plain."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Path
    hash: str | None = Field(default=None, description="of what was in it; filled in when a recipe is read")

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, values: object) -> object:
        return {"file": values} if isinstance(values, str | Path) else values


class BriefRecipe(BaseModel):
    """The user's own wishes; every key may be left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    topics: tuple[str, ...] = Field(default=(), description="what scenes are about, taken in turn")
    styles: tuple[str, ...] = Field(default=(), description="taken in turn; empty: the writer's own")
    categories: dict[str, Annotated[FiniteFloat, Field(gt=0)]] = Field(
        default_factory=dict, description="how often each is drawn, as weights"
    )
    languages: tuple[str, ...] = Field(default=(), description="of the instructions, taken in turn")
    taxonomy: dict[Annotated[str, Field(pattern=_NAME)], str] = Field(
        default_factory=dict, description="own categories: name, what an instruction of it asks for"
    )
    banned: tuple[str, ...] = Field(default=(), description="words that nothing may mention")
    requests: Requests | None = None

    @model_validator(mode="after")
    def _weights_of_known(self) -> BriefRecipe:
        strange = [name for name in self.categories if self.taxonomy and name not in self.taxonomy]
        if strange:
            raise ValueError(f"categories: {', '.join(strange)} isn't in the taxonomy; add it there")
        return self

    def topic(self, number: int) -> str | None:
        """What the number-th scene is about."""
        return _in_turn(self.topics, number)

    def style(self, number: int) -> str | None:
        """The style of the number-th scene; they go on by one with every round of the topics."""
        rounds = number // len(self.topics) if self.topics else 0
        return _in_turn(self.styles, number + rounds)

    def drawn(self, count: int, objects: int, seed: int) -> tuple[str, ...]:
        """Categories by weight; none where the recipe gives no weights and no taxonomy of its own."""
        weights = self.categories or dict.fromkeys(self.taxonomy, 1.0)
        return draw_categories(weights, count, objects, seed) if weights else ()

    def guide(self, seed: int) -> Guide:
        """What the writer of one scene, or for one photograph, is told."""
        return Guide(
            language=_in_turn(self.languages, seed),
            banned=self.banned,
            examples=self._examples(seed),
            taxonomy=tuple(self.taxonomy.items()),
        )

    def asked(self, guide: Guide) -> dict[str, Json]:
        """The guide as a brief tells it: only what is there; of the requests the hash of their file."""
        told: dict[str, Json] = {}
        if guide.language is not None:
            told["language"] = guide.language
        if self.banned:
            told["banned"] = list(self.banned)
        if self.taxonomy:
            told["taxonomy"] = dict(self.taxonomy)
        if self.requests is not None:
            told["requests"] = self.requests.hash
        return told

    def _examples(self, seed: int) -> tuple[str, ...]:
        if self.requests is None or not self.requests.file.is_file():
            return ()  # a run that is only looked at needs no file
        known = read_requests(self.requests.file)
        return tuple(random.Random(f"requests {seed}").sample(known, min(EXAMPLES, len(known))))


def draw_categories(weights: Mapping[str, float], count: int, objects: int, seed: int) -> tuple[str, ...]:
    """So many categories by weight, none twice if it can be.

    With two objects or more, and two edits, the last is a composite, where there is such a category.
    """
    last = objects > 1 and count > 1 and COMPOSITE in weights
    rng = random.Random(f"categories {seed}")
    drawn: list[str] = []
    pool: dict[str, float] = {}
    single = {name: weight for name, weight in weights.items() if name != COMPOSITE} or dict(weights)
    while len(drawn) < count - last:
        pool = pool or dict(single)
        (name,) = rng.choices(list(pool), list(pool.values()))
        del pool[name]
        drawn.append(name)
    return (*drawn, COMPOSITE) if last else tuple(drawn)


@lru_cache(maxsize=4)
def read_requests(path: Path) -> tuple[str, ...]:
    """The requests in a file, each once. RecipeError where a line is none or there is no line."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise RecipeError(f"{path} can't be read ({error.strerror}): mend brief.requests") from None
    found = [_request(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not found:
        raise RecipeError(f"{path} holds no request: one a line, as text or JSON with a key {_KEYS[0]!r}")
    return tuple(dict.fromkeys(found))


def _request(path: Path, number: int, line: bytes) -> str:
    try:
        value = orjson.loads(line) if line.lstrip()[:1] in (b"{", b'"') else line.decode()
    except (orjson.JSONDecodeError, UnicodeDecodeError):
        raise RecipeError(
            f"{path}, line {number}: neither JSON nor text in UTF-8; mend or remove it"
        ) from None
    if isinstance(value, dict):
        value = next((value[key] for key in _KEYS if isinstance(value.get(key), str)), None)
    words = re.sub(r"\s+", " ", value).strip() if isinstance(value, str) else ""
    if not words:
        raise RecipeError(f"{path}, line {number}: no request; give text, or one of {', '.join(_KEYS)}")
    return words


def hash_of_requests(path: Path) -> str:
    """Name of the file's bytes, once it was read and found fit."""
    read_requests(path)
    return hash_bytes(path.read_bytes())


def _in_turn(known: Sequence[str], number: int) -> str | None:
    return known[number % len(known)] if known else None
