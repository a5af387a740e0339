"""A chat model that is no model: it says what a test wrote down, and keeps what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from triptych.backends.prompts.chat import Prompt, Reply
from triptych.backends.prompts.judge import ChatJudge
from triptych.backends.prompts.judging import Look
from triptych.backends.prompts.writer import ChatWriter
from triptych.errors import CallFailed
from triptych.records import Receipt

Said = str | CallFailed | Callable[[Prompt], str | CallFailed]


class Scripted:
    """Says its lines in turn, the last one for ever."""

    def __init__(self, *lines: Said) -> None:
        self.lines: Sequence[Said] = lines
        self.asked: list[Prompt] = []

    async def ask(self, prompt: Prompt) -> Reply:
        line = self.lines[min(len(self.asked), len(self.lines) - 1)]
        self.asked.append(prompt)
        receipt = Receipt(tokens_in=100, tokens_out=7, price=0.5)
        if callable(line):
            line = line(prompt)
        return Reply("", receipt, line) if isinstance(line, CallFailed) else Reply(line, receipt)

    async def close(self) -> None:
        return None


class ScriptedWriter(ChatWriter):
    def __init__(self, *lines: Said) -> None:
        self.chat: Scripted = Scripted(*lines)
        self.look = Look()


class ScriptedJudge(ChatJudge):
    def __init__(self, *lines: Said, **look: object) -> None:
        self.chat: Scripted = Scripted(*lines)
        self.look = Look.model_validate(look)
