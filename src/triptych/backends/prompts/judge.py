"""A Judge over any chat: asks, reads, asks again, averages. Subclasses bring `chat`, `look` and a spec."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import orjson
from pydantic import BaseModel

from triptych.backends.prompts.chat import Chat, Read, Unreadable, ask_twice
from triptych.backends.prompts.judging import Look, answers_of, judge_prompts
from triptych.backends.prompts.wording import judge_version
from triptych.errors import CallFailed
from triptych.records import Receipt
from triptych.roles import Answered, JudgeRequest, Metered, Question, Scored, Unscored

Answers = tuple[Scored | Unscored, ...]


class ChatJudge:
    """Judges pairs and sources by asking a chat model that sees pictures."""

    chat: Chat
    look: Look
    prompts = staticmethod(judge_version)  # part of the spec

    async def judge(self, requests: Sequence[JudgeRequest]) -> Answered[Answers]:
        """One answer for each question: the mean over the asks that gave one."""
        return await asyncio.gather(*(self._judge(request) for request in requests))

    async def _judge(self, request: JudgeRequest) -> Metered[Answers]:
        prompts = judge_prompts(request, self.look)
        reads = await asyncio.gather(*(ask_twice(self.chat, prompt, prompt.reply) for prompt in prompts))
        receipt = Receipt()
        for read in reads:
            receipt = receipt + read.receipt
        answer = combined(reads, request.questions)
        if isinstance(answer, CallFailed):  # a verdict keeps the words itself
            receipt = replace(receipt, raw=_raw([text for read in reads for text in read.texts]))
        return Metered(answer, receipt)

    async def close(self) -> None:
        """Let go of connections."""
        await self.chat.close()


def combined(reads: Sequence[Read[BaseModel]], questions: Sequence[Question]) -> Answers | CallFailed:
    """The mean of all asks that were read; a failure where one couldn't be made: then all are asked again."""
    raw = _raw([text for read in reads for text in read.texts])
    readable = [read.reply for read in reads if isinstance(read.reply, BaseModel)]
    failures = [read.reply for read in reads if isinstance(read.reply, CallFailed)]
    for failure in failures:
        if not isinstance(failure, Unreadable):
            return failure
    if not readable:
        return tuple(Unscored(failures[0].reason, raw) for _ in questions)
    answers = [answers_of(reply, questions) for reply in readable]
    return tuple(Scored(sum(values) / len(values), raw) for values in zip(*answers, strict=True))


def _raw(texts: Sequence[str]) -> str:
    """All that was said: one reply as it is, several as a JSON list."""
    return texts[0] if len(texts) == 1 else orjson.dumps([*texts]).decode()
