"""The studio's judges as back ends: screen, soft filter, validator. They see pictures and words only.

How they come to their answers is loaded with the first question: whoever only names them loads no codec.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from triptych.backends.studio.judge.shipped import file_hash
from triptych.errors import CallFailed, ModelError
from triptych.pixels.revision import REVISION as CHECKS_REVISION
from triptych.records import Spec
from triptych.roles import (
    Answered,
    BackendSettings,
    JudgeRequest,
    PairSubject,
    Placement,
    RoleConfig,
    Scored,
    SourceSubject,
    Unscored,
    spec_of,
)

Answers = dict[str, Scored | Unscored]
NOT_A_PAIR = "this judge needs a source and an edited picture"


class _StudioJudge:
    """What the three share."""

    class Settings(BackendSettings):
        """Nothing to set."""

    # Of what is measured; the spec adds that of the pixel signals and the model file's hash.
    revision: ClassVar[str] = "3"
    placement: ClassVar[Placement] = "cpu"

    def __init__(self, config: RoleConfig) -> None:
        self.config = config
        self.settings = self.Settings.model_validate(dict(config.settings))

    @property
    def spec(self) -> Spec:
        """What determines the answers, the model file among it."""
        return spec_of(self.config, self.settings, f"{self.revision}.{CHECKS_REVISION}-{file_hash()}")

    async def judge(self, requests: Sequence[JudgeRequest]) -> Answered[tuple[Scored | Unscored, ...]]:
        """One answer for each question of each request."""
        return [self._judge(request) for request in requests]

    def _judge(self, request: JudgeRequest) -> tuple[Scored | Unscored, ...] | CallFailed:
        answers = self._answers(request)
        if isinstance(answers, CallFailed):
            return answers
        return tuple(answers.get(q.name, Unscored("question_not_known")) for q in request.questions)

    def _answers(self, request: JudgeRequest) -> Answers | CallFailed:
        raise NotImplementedError


class StudioScreen(_StudioJudge):
    """Does a source show its prompt, and does it look right?"""

    def _answers(self, request: JudgeRequest) -> Answers | CallFailed:
        if not isinstance(request.subject, SourceSubject):
            return ModelError("not_a_source", "the screen judges sources")
        from triptych.backends.studio.judge import answers

        return answers.of_source(request.subject)


class StudioSoftFilter(_StudioJudge):
    """A quick, coarse opinion of a pair: the whole of it at a glance, nothing looked for."""

    def _answers(self, request: JudgeRequest) -> Answers | CallFailed:
        if not isinstance(request.subject, PairSubject):
            return ModelError("not_a_pair", NOT_A_PAIR)
        from triptych.backends.studio.judge import answers

        return answers.at_a_glance(request.subject)


class StudioValidator(_StudioJudge):
    """The careful judge of a pair: finds what the instruction names, and looks at everything else."""

    def _answers(self, request: JudgeRequest) -> Answers | CallFailed:
        if not isinstance(request.subject, PairSubject):
            return ModelError("not_a_pair", NOT_A_PAIR)
        from triptych.backends.studio.judge import answers

        return answers.of_pair(request.subject)
