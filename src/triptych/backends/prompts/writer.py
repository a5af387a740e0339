"""A Writer over any chat. Subclasses bring `chat` and a spec."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from triptych.backends.prompts.chat import CUT_SHORT, Chat, Prompt, ask_twice
from triptych.backends.prompts.judging import Look
from triptych.backends.prompts.photographs import (
    PhotographReply,
    photograph_categories,
    photograph_draft,
    photograph_prompt,
)
from triptych.backends.prompts.phrases import (
    InstructionReply,
    ParaphraseReply,
    invert_prompt,
    join_prompt,
    paraphrase_prompt,
)
from triptych.backends.prompts.replies import BadReply
from triptych.backends.prompts.scenes import MOST_AT_ONCE, Asked, ScenesReply, scenes_of, scenes_prompt
from triptych.backends.prompts.wording import writer_version
from triptych.errors import CallFailed, ModelError
from triptych.records import Receipt
from triptych.roles import (
    Answered,
    InvertRequest,
    JoinRequest,
    Metered,
    ParaphraseRequest,
    PhotographRequest,
    SceneDraft,
    SceneRequest,
)

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")
Q = TypeVar("Q")
A = TypeVar("A")

_GATHERING = 0.05  # seconds that a brief waits for others to share its prompt


class Gathering(Generic[Q, A]):
    """Single requests that come at about the same time, answered as batches."""

    def __init__(
        self, answer: Callable[[Sequence[Q]], Coroutine[Any, Any, Sequence[A]]], most: Callable[[], int]
    ) -> None:
        self._answer = answer
        self._most = most
        self._waiting: list[tuple[Q, asyncio.Future[A]]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._batches: set[asyncio.Future[Sequence[A]]] = set()  # kept, or they may be collected half done

    async def ask(self, request: Q) -> A:
        """The answer to one request."""
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[A] = loop.create_future()
        self._waiting.append((request, answered))
        if len(self._waiting) >= self._most():
            self._begin()
        elif self._timer is None:
            self._timer = loop.call_later(_GATHERING, self._begin)
        return await answered

    def _begin(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        gathered, self._waiting = self._waiting, []
        batch = asyncio.get_running_loop().create_task(self._answer([request for request, _ in gathered]))
        self._batches.add(batch)
        batch.add_done_callback(partial(self._hand_out, [answered for _, answered in gathered]))

    def _hand_out(self, asked: Sequence[asyncio.Future[A]], batch: asyncio.Future[Sequence[A]]) -> None:
        self._batches.discard(batch)
        waiting = [answered for answered in asked if not answered.done()]  # its asker may be gone
        if batch.cancelled():
            for answered in waiting:
                answered.cancel()
        elif bug := batch.exception():
            for answered in waiting:
                answered.set_exception(bug)
        else:
            for answered, answer in zip(asked, batch.result(), strict=True):
                if not answered.done():
                    answered.set_result(answer)


class ChatWriter:
    """Writes scenes and instructions by asking a chat model; for photographs one that sees."""

    chat: Chat
    look: Look
    together: int = MOST_AT_ONCE  # scenes in a prompt; fewer once replies were cut short
    prompts = staticmethod(writer_version)  # part of the spec
    _gathering: Gathering[SceneRequest, Metered[SceneDraft]] | None = None

    async def write(self, requests: Sequence[SceneRequest]) -> Answered[SceneDraft]:
        """Scenes in batches of up to 50: one prompt, many briefs, its cost shared among them.

        Briefs that are asked for at the same time, by whomever, go into one prompt: each is its own job and
        its own fact, and a kill costs no more than the prompts under way.
        """
        self._gathering = self._gathering or Gathering(self._write, lambda: self.together)
        return await asyncio.gather(*(self._gathering.ask(request) for request in requests))

    async def describe(self, requests: Sequence[PhotographRequest]) -> Answered[SceneDraft]:
        """Edits that fit each photograph, fewer where it offers no more."""
        return await asyncio.gather(*(self._describe(request) for request in requests))

    async def invert(self, requests: Sequence[InvertRequest]) -> Answered[str]:
        """One backward instruction for each; whether it leans on an earlier picture others check."""
        return await asyncio.gather(*(self._instruction(invert_prompt(request)) for request in requests))

    async def join(self, requests: Sequence[JoinRequest]) -> Answered[str]:
        """One instruction for each two."""
        return await asyncio.gather(*(self._instruction(join_prompt(request)) for request in requests))

    async def paraphrase(self, requests: Sequence[ParaphraseRequest]) -> Answered[tuple[str, ...]]:
        """Each instruction in four registers: short, casual, imperative, question."""
        prompts = [paraphrase_prompt(request) for request in requests]
        return await asyncio.gather(*(self._read(p, ParaphraseReply, lambda r: r.texts) for p in prompts))

    async def close(self) -> None:
        """Let go of connections."""
        await self.chat.close()

    async def _instruction(self, prompt: Prompt) -> Metered[str]:
        return await self._read(prompt, InstructionReply, lambda reply: reply.instruction.strip())

    async def _describe(self, request: PhotographRequest) -> Metered[SceneDraft]:
        categories = photograph_categories(request)
        prompt = photograph_prompt(request, categories, self.look.max_pixels, self.look.max_side)
        return await self._read(
            prompt, PhotographReply, lambda reply: photograph_draft(reply, request, categories)
        )

    async def _read(self, prompt: Prompt, kind: type[M], use: Callable[[M], T]) -> Metered[T]:
        """Ask, and make of the reply what was wanted."""
        read = await ask_twice(self.chat, prompt, kind)
        receipt = replace(read.receipt, raw="\n".join(read.texts))
        if isinstance(read.reply, CallFailed):
            return Metered(read.reply, receipt)
        try:
            return Metered(use(read.reply), receipt)
        except BadReply as problem:
            return Metered(ModelError(problem.reason, problem.detail), receipt)

    async def _write(self, requests: Sequence[SceneRequest]) -> list[Metered[SceneDraft]]:
        """One batch. What can't be used of the reply is asked once more, the rest of it isn't."""
        asked = [Asked.of(request) for request in requests]
        drafts, receipts = await self._batch(asked, 0)
        bad = [place for place, draft in enumerate(drafts) if isinstance(draft, BadReply)]
        if bad:
            again = [
                replace(asked[p], request=replace(asked[p].request, again=asked[p].request.again + 1))
                for p in bad
            ]
            second, costs = await self._batch(again, 1)
            for place, draft, receipt in zip(bad, second, costs, strict=True):
                drafts[place] = draft
                receipts[place] = receipts[place] + receipt
        return [
            Metered(ModelError(draft.reason, draft.detail) if isinstance(draft, BadReply) else draft, receipt)
            for draft, receipt in zip(drafts, receipts, strict=True)
        ]

    async def _batch(
        self, asked: Sequence[Asked], turn: int
    ) -> tuple[list[SceneDraft | CallFailed | BadReply], list[Receipt]]:
        began = time.perf_counter()
        prompt = scenes_prompt(asked, asked[0].request.seed + turn)
        read = await ask_twice(self.chat, prompt, ScenesReply)
        spent = replace(read.receipt, seconds=time.perf_counter() - began)
        receipts = spent.split(len(asked))
        if isinstance(read.reply, CallFailed) and read.reply.reason == CUT_SHORT and len(asked) > 1:
            return await self._in_halves(asked, turn, receipts)
        if isinstance(read.reply, CallFailed):
            receipts[0] = replace(receipts[0], raw="\n".join(read.texts))  # once: each scene has its call
            return [read.reply] * len(asked), receipts
        drafts, raw = zip(*scenes_of(read.reply, asked), strict=True)
        return [*drafts], [replace(one, raw=words) for one, words in zip(receipts, raw, strict=True)]

    async def _in_halves(
        self, asked: Sequence[Asked], turn: int, spent: Sequence[Receipt]
    ) -> tuple[list[SceneDraft | CallFailed | BadReply], list[Receipt]]:
        """The model's reply had no room for so many scenes: half of them at a time, from now on too."""
        middle = len(asked) // 2
        self.together = max(1, min(self.together, middle))
        halves = [await self._batch(half, turn) for half in (asked[:middle], asked[middle:])]
        drafts = [draft for half, _ in halves for draft in half]
        receipts = [receipt for _, half in halves for receipt in half]
        return drafts, [before + receipt for before, receipt in zip(spent, receipts, strict=True)]
