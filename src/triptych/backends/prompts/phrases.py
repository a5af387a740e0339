"""Instructions made of instructions: the inverse of one, two joined, one in other words."""

from __future__ import annotations

import orjson

from triptych.backends.prompts.chat import Prompt
from triptych.backends.prompts.replies import Strict
from triptych.backends.prompts.wording import text
from triptych.records import Json
from triptych.roles import InvertRequest, JoinRequest, ParaphraseRequest


class InstructionReply(Strict):
    """One instruction."""

    instruction: str


class ParaphraseReply(Strict):
    """One instruction in four registers."""

    short: str
    casual: str
    imperative: str
    question: str

    @property
    def texts(self) -> tuple[str, ...]:
        """All four, each once, without empty ones."""
        words = (self.short, self.casual, self.imperative, self.question)
        return tuple(dict.fromkeys(word.strip() for word in words if word.strip()))


def invert_prompt(request: InvertRequest) -> Prompt:
    """What leads back from an edit."""
    given: dict[str, Json] = {
        "text of the first picture": request.prompt or "not known: a photograph",
        "instruction": request.instruction,
        "category": request.category,
    }
    return Prompt(text("invert"), (_told(given),), InstructionReply, request.seed)


def join_prompt(request: JoinRequest) -> Prompt:
    """Two as one."""
    given: dict[str, Json] = {"first": request.first, "second": request.second}
    return Prompt(text("join"), (_told(given),), InstructionReply, request.seed)


def paraphrase_prompt(request: ParaphraseRequest) -> Prompt:
    """One in other words."""
    return Prompt(
        text("paraphrase"), (_told({"instruction": request.instruction}),), ParaphraseReply, request.seed
    )


def _told(given: dict[str, Json]) -> str:
    return orjson.dumps(given, option=orjson.OPT_INDENT_2).decode()
