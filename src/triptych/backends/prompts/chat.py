"""One question to a language model and its reply: the small protocol that every chat back end fills."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

from pydantic import BaseModel

from triptych.backends.prompts.replies import BadReply, read_reply
from triptych.backends.prompts.wording import filled
from triptych.errors import CallFailed, ModelError
from triptych.pixels.picture import Picture
from triptych.records import Receipt

M = TypeVar("M", bound=BaseModel)


CUT_SHORT = "cut_short"  # reason of a chat's failure: the reply ended before it was whole


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is asked: a system text, then the user's message in texts and pictures."""

    system: str
    parts: tuple[str | Picture, ...]
    reply: type[BaseModel]  # what the reply has to be; its JSON schema goes along
    seed: int


@dataclass(frozen=True, slots=True)
class Reply:
    """A model's words, or why there are none, and what they cost either way."""

    text: str
    receipt: Receipt
    failure: CallFailed | None = None


class Chat(Protocol):
    """Asks one prompt."""

    async def ask(self, prompt: Prompt) -> Reply:
        """The model's reply, unread. Its failure is Refused where the model declined."""

    async def close(self) -> None:
        """Let go of connections."""


class Unreadable(ModelError):
    """The model replied, twice, and neither reply could be used."""


@dataclass(frozen=True, slots=True)
class Read(Generic[M]):
    """A reply that was read, or why there is none."""

    reply: M | CallFailed
    texts: tuple[str, ...]  # the model's words, in the order of the asks
    receipt: Receipt


async def ask_twice(chat: Chat, prompt: Prompt, kind: type[M]) -> Read[M]:
    """Ask, and once more with another seed where the reply can't be read, whatever the server was told."""
    texts: tuple[str, ...] = ()
    receipt = Receipt()
    while True:
        reply = await chat.ask(prompt)
        texts, receipt = (*texts, reply.text), receipt + reply.receipt
        if reply.failure is not None:
            return Read(reply.failure, texts, receipt)
        try:
            return Read(read_reply(reply.text, kind), texts, receipt)
        except CallFailed as refused:
            return Read(refused, texts, receipt)
        except BadReply as problem:
            if len(texts) == 2:
                return Read(Unreadable(problem.reason, problem.detail), texts, receipt)
            told = filled("again", problem=str(problem))
            prompt = replace(prompt, parts=(*prompt.parts, told), seed=prompt.seed + 1)
