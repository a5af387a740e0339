"""A Writer over any chat. Subclasses bring `chat` and a spec."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from pydantic import BaseModel

from triptych.backends.prompts.chat import Chat, Prompt, ask_twice
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


class ChatWriter:
    """Writes scenes and instructions by asking a chat model; for photographs one that sees."""

    chat: Chat
    look: Look

    async def write(self, requests: Sequence[SceneRequest]) -> Answered[SceneDraft]:
        """Scenes in batches of up to 50: one prompt, many briefs, its cost shared among them."""
        batches = [requests[start : start + MOST_AT_ONCE] for start in range(0, len(requests), MOST_AT_ONCE)]
        written = await asyncio.gather(*(self._write(batch) for batch in batches))
        return [scene for batch in written for scene in batch]

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
        if isinstance(read.reply, CallFailed):
            receipts[0] = replace(receipts[0], raw="\n".join(read.texts))  # once: each scene has its call
            return [read.reply] * len(asked), receipts
        drafts, raw = zip(*scenes_of(read.reply, asked), strict=True)
        return [*drafts], [replace(one, raw=words) for one, words in zip(receipts, raw, strict=True)]
