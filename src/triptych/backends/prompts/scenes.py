"""Scenes in batches: what a Writer is asked for many briefs at once, and what of its reply can be used."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError, create_model

from triptych.backends.prompts.chat import Prompt
from triptych.backends.prompts.replies import BadReply, Strict
from triptych.backends.prompts.taxonomy import (
    categories_for,
    register_for,
    style_for,
    taxonomy,
    viewpoint_for,
)
from triptych.backends.prompts.wording import filled, text
from triptych.roles import EditDraft, Guide, SceneDraft, SceneRequest

MOST_AT_ONCE = 50
_EXAMPLES = 12  # of the user's requests in one prompt
_ORDINAL = re.compile(
    r"\b(?:first|second|third|fourth|fifth|[1-9](?:st|nd|rd|th)|number (?:one|two|three|four|five|[1-9]))\b"
    r"(?! (?:floor|storey|story|hand|time|light))|#[1-9]\b",
    re.IGNORECASE,
)


class ScenesReply(BaseModel):
    """The reply's outer form; each scene is looked at by itself, so that one bad one costs no other."""

    model_config = ConfigDict(extra="ignore")

    scenes: list[JsonValue]


class _Edit(Strict):
    category: str
    instruction: str


class _Scene(Strict):
    number: int
    prompt: str
    edits: list[_Edit]


@dataclass(frozen=True, slots=True)
class Asked:
    """A brief with all that was open in it decided."""

    request: SceneRequest
    categories: tuple[str, ...]
    style: str | None

    @classmethod
    def of(cls, request: SceneRequest) -> Asked:
        """Decide what the request leaves open, by its seed."""
        known = taxonomy(request.guide)
        categories = categories_for(known, request.categories, request.edits, request.objects, request.seed)
        return cls(request, categories, request.style or style_for(request.seed))

    def told(self, number: int) -> Mapping[str, JsonValue]:
        """As the writer reads it."""
        request = self.request
        turn = request.seed + 31 * request.again
        edits: list[JsonValue] = [
            {"category": category, "register": register_for(turn, place)}
            for place, category in enumerate(self.categories)
        ]
        return {
            "number": number,
            "objects": request.objects,
            "topic": request.topic or "of your choice",
            "style": self.style or "none: an everyday photograph",
            "viewpoint": viewpoint_for(turn),
            "language": request.guide.language or "English",
            "edits": edits,
        }


def scenes_prompt(asked: Sequence[Asked], seed: int) -> Prompt:
    """One prompt for all these briefs, numbered from 1."""
    guides = {item.request.guide: None for item in asked}
    known = {name: category for guide in guides for name, category in taxonomy(guide).items()}
    used = [name for name in known if any(name in item.categories for item in asked)]
    unknown = {name for item in asked for name in item.categories if name not in known}
    kinds = "\n".join(
        [*(f"- {known[name].told()}" for name in used), *(f"- {name}" for name in sorted(unknown))]
    )
    briefs = "\n".join(orjson.dumps(item.told(number)).decode() for number, item in enumerate(asked, 1))
    parts = [f"The categories:\n{kinds}", *guide_lines(guides), f"The briefs, one a line:\n{briefs}"]
    return Prompt(text("write"), ("\n\n".join(parts),), _schema(used + sorted(unknown)), seed)


def guide_lines(guides: Mapping[Guide, None]) -> list[str]:
    """What the user's brief adds to a prompt."""
    told = []
    banned = sorted({word for guide in guides for word in guide.banned})
    if banned:
        told.append(filled("banned", words="; ".join(banned)))
    examples = list(dict.fromkeys(line for guide in guides for line in guide.examples))[:_EXAMPLES]
    if examples:
        listed = "\n".join(orjson.dumps(line).decode() for line in examples)
        told.append(filled("manner", requests=listed))
    return told


def _schema(categories: Sequence[str]) -> type[BaseModel]:
    """The strict form of the reply, with the categories as an enumeration."""
    choice: Any = Literal[tuple(categories)]
    edit = create_model("Edit", __base__=Strict, category=(choice, ...), instruction=(str, ...))
    scene = create_model(
        "Scene",
        __base__=Strict,
        number=(int, ...),
        prompt=(str, ...),
        edits=(list[edit], ...),  # type: ignore[valid-type]
    )
    return create_model("Scenes", __base__=Strict, scenes=(list[scene], ...))  # type: ignore[valid-type]


def scenes_of(reply: ScenesReply, asked: Sequence[Asked]) -> list[tuple[SceneDraft | BadReply, str]]:
    """What the reply has for each brief: a draft, or why it can't be used; and the words themselves."""
    found: dict[int, SceneDraft | BadReply] = {}
    raw: dict[int, str] = {}
    for item in reply.scenes:
        number = item.get("number") if isinstance(item, dict) else None
        if not isinstance(number, int) or not 1 <= number <= len(asked) or number in found:
            continue
        raw[number] = orjson.dumps(item).decode()
        try:
            found[number] = _draft(_Scene.model_validate(item), asked[number - 1])
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            found[number] = BadReply(
                "wrong_schema", f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
            )
        except BadReply as problem:
            found[number] = problem
    missing = BadReply("left_out")
    return [(found.get(number, missing), raw.get(number, "")) for number in range(1, len(asked) + 1)]


def _draft(scene: _Scene, asked: Asked) -> SceneDraft:
    if not scene.prompt.strip():
        raise BadReply("empty_prompt")
    refuse_banned(scene.prompt, asked.request.guide)
    if [edit.category for edit in scene.edits] != list(asked.categories):
        told = ", ".join(edit.category for edit in scene.edits)
        raise BadReply("wrong_category", f"asked for {', '.join(asked.categories)}, got {told}")
    edits = tuple(checked(edit.instruction, edit.category, asked.request.guide) for edit in scene.edits)
    if len({edit.instruction.casefold() for edit in edits}) < len(edits):
        raise BadReply("same_instruction_twice")
    return SceneDraft(scene.prompt.strip(), edits, asked.style)


def checked(instruction: str, category: str, guide: Guide) -> EditDraft:
    """The instruction, if it is one: not empty, about nothing banned, telling things apart by place."""
    words = instruction.strip()
    if not words:
        raise BadReply("empty_instruction")
    refuse_banned(words, guide)
    if found := _ORDINAL.search(_unquoted(words)):
        raise BadReply("counts_things", f"{found.group(0)!r} in {words!r}: tell things apart by their place")
    return EditDraft(words, category)


def refuse_banned(words: str, guide: Guide) -> None:
    """Raise BadReply where a text mentions what the user's brief bans, as whole words, in the plural too."""
    for banned in guide.banned:
        if re.search(rf"(?<!\w){re.escape(banned)}(?:e?s)?(?!\w)", words, re.IGNORECASE):
            raise BadReply("banned_topic", banned)


def _unquoted(words: str) -> str:
    return re.sub(r'"[^"]*"', "", words)
