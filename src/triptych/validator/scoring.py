"""Scores of single pairs by a calibration file: what the rule reads in place of a judge's own numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from triptych.validator.calibrate import Calibration, SignalColumn, load_calibration
from triptych.validator.ratings import AXES
from triptych.validator.rule import Calibrated, PairFacts, Scores
from triptych.validator.signals import columns, signal_row


@dataclass(frozen=True, slots=True)
class PairScorer:
    """A calibration, ready for the judges of one run."""

    calibration: Calibration
    _columns: tuple[SignalColumn, ...] = field(repr=False)

    @classmethod
    def load(cls, path: Path, specs: Mapping[str, str]) -> PairScorer:
        """Read a file for judges of these specs (role → spec id); UserError where it is for others."""
        calibration = load_calibration(path)
        calibration.require(columns(specs))
        return cls(calibration, calibration.columns)

    def read(self, pair: PairFacts, lowest: float | None) -> Calibrated:
        """Calibrated scores and the P(accept) that is enough: `lowest`, else the file's own."""
        values = np.array([signal_row(self._columns, pair)])
        scored = self.calibration.score(values, (pair.category,))
        accept = None if scored.accept is None else round(float(scored.accept[0]), 4)
        adherence, aesthetics = (round(float(scored.scores[axis][0]), 4) for axis in AXES)
        if lowest is None and self.calibration.guarantee is not None:
            lowest = self.calibration.guarantee.lowest(pair.category)
        return Calibrated(Scores(adherence, aesthetics, accept), lowest)
