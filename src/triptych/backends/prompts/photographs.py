"""Instructions for a photograph: a model looks, says what it sees, and proposes edits that fit."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from pydantic import JsonValue

from triptych.backends.prompts.chat import Prompt
from triptych.backends.prompts.replies import BadReply, Strict
from triptych.backends.prompts.scenes import checked, guide_lines
from triptych.backends.prompts.showing import shown, shown_size
from triptych.backends.prompts.taxonomy import categories_for, register_for, taxonomy
from triptych.backends.prompts.wording import text
from triptych.roles import EditDraft, PhotographRequest, SceneDraft

_SPARE = 3  # categories asked for beyond those wanted: a photograph offers nothing for some
_OBJECTS = 2  # photographs show several things: composites are welcome


class _Edit(Strict):
    category: str
    instruction: str | None


class PhotographReply(Strict):
    """What was seen, and an instruction for each category that the photograph offers something for."""

    seen: str
    edits: list[_Edit]


def photograph_categories(request: PhotographRequest) -> tuple[str, ...]:
    """What is asked for: the categories wanted, or a few more than needed of all."""
    known = taxonomy(request.guide)
    count = request.edits if request.categories else request.edits + _SPARE
    return categories_for(known, request.categories, count, _OBJECTS, request.seed)


def photograph_prompt(
    request: PhotographRequest, categories: Sequence[str], max_pixels: int, max_side: int
) -> Prompt:
    """The photograph and what is wanted of it."""
    known = taxonomy(request.guide)
    kinds = "\n".join(
        f"- {known[name].told() if name in known else name}" for name in dict.fromkeys(categories)
    )
    edits: list[JsonValue] = [
        {"category": name, "register": register_for(request.seed, place)}
        for place, name in enumerate(categories)
    ]
    wanted: dict[str, JsonValue] = {"language": request.guide.language or "English", "edits": edits}
    parts = [f"The categories:\n{kinds}", *guide_lines({request.guide: None})]
    parts.append(f"What is wanted:\n{orjson.dumps(wanted).decode()}")
    size = shown_size(request.picture.width, request.picture.height, max_pixels, max_side)
    picture = shown(request.picture, size)
    return Prompt(text("describe"), (picture, "\n\n".join(parts)), PhotographReply, request.seed)


def photograph_draft(
    reply: PhotographReply, request: PhotographRequest, categories: Sequence[str]
) -> SceneDraft:
    """The edits that can be used. Raises BadReply where there is none."""
    edits: list[EditDraft] = []
    problem = BadReply("no_edits")
    for edit in reply.edits:
        if edit.instruction is None:
            continue
        if edit.category not in categories:
            problem = BadReply("wrong_category", edit.category)
            continue
        try:
            edits.append(checked(edit.instruction, edit.category, request.guide))
        except BadReply as found:
            problem = found
    if not edits:
        raise problem
    return SceneDraft(None, tuple(edits[: request.edits]))
