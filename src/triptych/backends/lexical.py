"""An embedder without a model: texts that share letters are near. It tells near-duplicates, not meanings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import ClassVar
from zlib import crc32

import numpy as np
import numpy.typing as npt

from triptych.records import Spec
from triptych.roles import Answered, BackendSettings, EmbedRequest, Placement, RoleConfig, spec_of

_LENGTHS = (3, 4)  # of the runs of letters that are counted


class LexicalEmbedder:
    """Counts of runs of letters within words, hashed into a vector."""

    class Settings(BackendSettings):
        """How fine the vector is."""

        dimensions: int = 1024

    revision: ClassVar[str] = "1"
    placement: ClassVar[Placement] = "cpu"
    knows_meaning: ClassVar[bool] = False

    def __init__(self, config: RoleConfig) -> None:
        self.config = config
        self.settings = self.Settings.model_validate(dict(config.settings))

    @property
    def spec(self) -> Spec:
        """What determines the answers."""
        return spec_of(self.config, self.settings, self.revision)

    async def embed(self, requests: Sequence[EmbedRequest]) -> Answered[npt.NDArray[np.float32]]:
        """A unit vector for each text; of a text without letters or digits, zeros."""
        return [self._embed(request.text) for request in requests]

    def _embed(self, text: str) -> npt.NDArray[np.float32]:
        vector = np.zeros(self.settings.dimensions, np.float32)
        for run in _runs(text):
            vector[crc32(run.encode()) % self.settings.dimensions] += 1
        length = float(np.linalg.norm(vector))
        return vector / np.float32(length) if length else vector


def _runs(text: str) -> Iterator[str]:
    for word in re.findall(r"\w+", text.lower()):
        padded = f" {word} "
        for length in _LENGTHS:
            for start in range(max(1, len(padded) - length + 1)):
                yield padded[start : start + length]
