"""Our back ends as a worker process of the tests finds them: with vision processors that load here."""

from __future__ import annotations

from tests.gpu.tiny import spare_torchvision
from triptych.backends.transformers import TransformersJudge, TransformersWriter

spare_torchvision()


class Judge(TransformersJudge):
    pass


class Writer(TransformersWriter):
    pass
