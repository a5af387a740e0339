"""What a judge is asked about a pair or a source, and its answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, create_model, model_validator

from triptych.backends.prompts.chat import Prompt
from triptych.backends.prompts.replies import Strict
from triptych.backends.prompts.showing import shown, shown_size
from triptych.backends.prompts.wording import filled, has_text, text
from triptych.roles import JudgeRequest, PairSubject, Question

Variant = Literal["plain", "difference_first"]


def _whole(answer: object) -> object:
    if isinstance(answer, bool):  # true equals 1
        raise ValueError("should be a whole number")  # noqa: TRY004  (pydantic tells ValueErrors)
    return answer


Score = Annotated[Literal[1, 2, 3, 4, 5], BeforeValidator(_whole)]
YesNo = Literal["yes", "no"]

_DIFFERENCES = "differences"  # what comes first in the variant that looks before it scores


class Look(BaseModel):
    """How a judge looks: each field changes its answers, so all are part of its spec."""

    model_config = {"extra": "forbid", "frozen": True}

    variant: Variant = "plain"
    asks: int = Field(
        default=1, ge=1, le=16, description="times that a request is asked; the answer is the mean"
    )
    swap: bool = Field(default=False, description="every second ask shows the edited picture first")
    max_pixels: int = Field(default=1_048_576, ge=64, description="of a picture as it is shown")
    max_side: int = Field(default=2048, ge=8, description="of a picture as it is shown, in pixels")

    @model_validator(mode="after")
    def _swap_has_a_second(self) -> Look:
        if self.swap and self.asks == 1:
            raise ValueError("swap shows every second ask the other way round: set asks to 2 or more")
        return self


def judge_prompts(request: JudgeRequest, look: Look) -> tuple[Prompt, ...]:
    """One prompt for each ask; they differ in seed and, with `swap`, in the order of the pictures."""
    return tuple(
        judge_prompt(request, look, seed, swapped=look.swap and seed % 2 == 1) for seed in range(look.asks)
    )


def judge_prompt(request: JudgeRequest, look: Look, seed: int = 0, *, swapped: bool = False) -> Prompt:
    """The whole question about a pair or a source, with its pictures at the size that the judge takes."""
    subject, questions = request.subject, request.questions
    asked = "\n\n".join(f'"{question.name}": {_wording(question)}' for question in questions)
    keys = [question.name for question in questions]
    if not isinstance(subject, PairSubject):
        size = shown_size(subject.picture.width, subject.picture.height, look.max_pixels, look.max_side)
        told = filled("judge_source", prompt=_quoted(subject.prompt), questions=asked, keys=_listed(keys))
        model = reply_model(questions, "plain")
        return Prompt(text("judge_system"), ("The picture:", shown(subject.picture, size), told), model, seed)
    name = "judge_pair"
    if look.variant == "difference_first":
        name, keys = "judge_pair_difference_first", [_DIFFERENCES, *keys]
    told = filled(name, instruction=_quoted(subject.instruction), questions=asked, keys=_listed(keys))
    size = shown_size(subject.source.width, subject.source.height, look.max_pixels, look.max_side)
    source = ("The source:", shown(subject.source, size))
    edited = ("The edited picture:", shown(subject.edited, size))
    pictures = (*edited, *source) if swapped else (*source, *edited)
    return Prompt(text("judge_system"), (*pictures, told), reply_model(questions, look.variant), seed)


def reply_model(questions: Sequence[Question], variant: Variant) -> type[BaseModel]:
    """What the reply has to be: one key a question, scores of 1 to 5, yes or no, nothing else."""
    fields: dict[str, Any] = {_DIFFERENCES: (str, ...)} if variant == "difference_first" else {}
    for question in questions:
        fields[question.name] = (Score if question.kind == "score" else YesNo, ...)
    model: type[BaseModel] = create_model("Judgement", __base__=Strict, **fields)
    return model


def answers_of(reply: BaseModel, questions: Sequence[Question]) -> tuple[float, ...]:
    """The reply's answers as numbers, in the order of the questions; yes is 1, no is 0."""
    return tuple(_number(getattr(reply, question.name)) for question in questions)


def _number(answer: object) -> float:
    if isinstance(answer, str):
        return float(answer == "yes")
    assert isinstance(answer, int)  # noqa: S101  (the model allows no other)
    return float(answer)


def _wording(question: Question) -> str:
    name = f"questions/{question.name}"
    return text(name) if has_text(name) else question.text


def _quoted(words: str) -> str:
    """Somebody's words, marked off so that they can't be taken for ours."""
    return "<<<" + words.replace("<<<", "‹‹‹").replace(">>>", "›››") + ">>>"


def _listed(keys: Sequence[str]) -> str:
    return ", ".join(f'"{key}"' for key in keys)
