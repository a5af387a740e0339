"""Calibrated scores: signals → adherence and aesthetics as people would score them, and P(a person accepts).

The model is small on purpose and is applied with numpy alone:

    z    a signal, standardised over the items it was fitted on; 0 where it is missing
    c_g  consensus: mean of the present z of a group of signals that ask the same thing, from its lowest up
    u_k  a context signal (how much changed, say), scaled to 0..1
    terms   every z;  with interactions also c_g·u_k and c_g·(1 − u_k), and c_g·c_h of two groups
    latent  intercept + Σ weight·term; a weight is ≥ 0 wherever a kinder judge must not lower the score
    score   curve(latent) + offset of the category, held to 1..5; the curve never falls

So trust in the judges may depend on the context, and a better verdict still never makes a score worse.
Fitting is in `fitting.py`. A calibration is one JSON file with a card; it refuses other signals than its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

import numpy as np
import orjson
from numpy.typing import NDArray

from triptych.errors import UserError
from triptych.records import Json, hash_bytes
from triptych.validator.guarantee import Guarantee
from triptych.validator.ratings import HIGHEST, LOWEST

FloatArray = NDArray[np.float64]
Direction = Literal[1, 0, -1]
FORMAT = "triptych-calibration/1"
JUDGED = ("adherence", "aesthetics", "unasked_change", "pleasing")  # questions to judges of pairs


@dataclass(frozen=True, slots=True)
class SignalColumn:
    """A signal that a calibration reads: one question of one judge, or one measurement."""

    name: str
    direction: Direction  # 1: more can only be better; −1: only worse; 0: not known
    spec_id: str  # the judge's or the measurement's: another revision is another signal
    group: str = ""  # signals of one group ask the same thing, and form a consensus
    context: bool = False  # tells how far to trust the judges

    def __post_init__(self) -> None:
        if self.group and self.direction == 0:
            raise ValueError(f"{self.name}: a signal without a direction can't join a consensus")

    @property
    def asked(self) -> bool:
        """Whether it is the answer of a judge, not a measurement or a feature."""
        return self.direction != 0 and self.name.rpartition(".")[2] in JUDGED


@dataclass(frozen=True, slots=True)
class SignalTable:
    """Signals of items: `values` [items, columns], NaN where a judge gave no answer."""

    items: tuple[str, ...]
    columns: tuple[SignalColumn, ...]
    values: FloatArray
    sources: tuple[str, ...]  # of each item: items of one source never stand on both sides of a split
    categories: tuple[str, ...] | None = None

    def rows(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> SignalTable:
        """Some of the items."""
        at = np.arange(len(self.items))[chosen]
        kept = None if self.categories is None else tuple(self.categories[i] for i in at)
        items, sources = tuple(self.items[i] for i in at), tuple(self.sources[i] for i in at)
        return SignalTable(items, self.columns, self.values[at], sources, kept)

    def named(self, names: Sequence[str]) -> SignalTable:
        """Some of the columns, in the order given."""
        places = {column.name: place for place, column in enumerate(self.columns)}
        at = [places[name] for name in names]
        columns = tuple(self.columns[place] for place in at)
        return SignalTable(self.items, columns, self.values[:, at], self.sources, self.categories)


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of a table, and which of them may not weigh below 0."""

    values: FloatArray  # [items, terms]
    monotone: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Design:
    """How signals become terms, with the scales of the items it was fitted on."""

    columns: tuple[SignalColumn, ...]
    mean: FloatArray
    spread: FloatArray
    lowest_consensus: Mapping[str, float]  # of each group
    interactions: bool

    @classmethod
    def of(cls, table: SignalTable, *, interactions: bool) -> Design:
        """Take the scales from a table. A column that never answers or never varies weighs nothing."""
        present = np.isfinite(table.values)
        number = np.maximum(present.sum(axis=0), 1)
        mean = np.where(present, table.values, 0).sum(axis=0) / number
        variance = (np.where(present, table.values - mean, 0) ** 2).sum(axis=0) / number
        spread = np.where(variance > 1e-12, np.sqrt(variance), np.inf)
        bare = cls(table.columns, mean, spread, {}, interactions)
        lowest = {group: float(values.min()) for group, values in bare._consensus(table.values).items()}
        return cls(table.columns, mean, spread, lowest, interactions)

    def terms(self, values: FloatArray) -> Terms:
        """Terms of items, from their signals [items, columns]."""
        z = self._standardised(values)
        blocks = [z]
        monotone = [column.direction != 0 for column in self.columns]
        if self.interactions:
            raised = [
                np.maximum(consensus - self.lowest_consensus[group], 0)
                for group, consensus in self._consensus(values).items()
            ]
            for place, column in enumerate(self.columns):
                if column.context:
                    # ±2 standard deviations to 0..1, so that both products stay ≥ 0
                    context = np.clip(z[:, place] / 4 + 0.5, 0, 1)
                    blocks += [np.stack([c * context, c * (1 - context)], axis=1) for c in raised]
                    monotone += [True] * (2 * len(raised))
            blocks += [(one * other)[:, None] for one, other in combinations(raised, 2)]
            monotone += [True] * (len(raised) * (len(raised) - 1) // 2)
        return Terms(np.hstack(blocks), np.array(monotone))

    def _standardised(self, values: FloatArray) -> FloatArray:
        signs = np.array([column.direction or 1 for column in self.columns])
        z = signs * (values - self.mean) / self.spread
        return np.where(np.isfinite(values), z, 0)

    def _consensus(self, values: FloatArray) -> dict[str, FloatArray]:
        z, present = self._standardised(values), np.isfinite(values)
        grouped: dict[str, FloatArray] = {}
        for group in sorted({column.group for column in self.columns} - {""}):
            at = [place for place, column in enumerate(self.columns) if column.group == group]
            grouped[group] = z[:, at].sum(axis=1) / np.maximum(present[:, at].sum(axis=1), 1)
        return grouped


@dataclass(frozen=True, slots=True)
class Curve:
    """A rising piecewise-linear map from latents to scores."""

    knots: FloatArray
    scores: FloatArray

    def __call__(self, latent: FloatArray) -> FloatArray:
        """Scores of latents; beyond the outermost knots, theirs."""
        return np.interp(latent, self.knots, self.scores)


@dataclass(frozen=True, slots=True)
class AxisModel:
    """The calibration of one axis."""

    design: Design
    weights: FloatArray
    intercept: float
    curve: Curve
    offsets: Mapping[str, float] = field(default_factory=dict)  # of each category, in points

    def latent(self, values: FloatArray) -> FloatArray:
        """What the signals [items, columns] come to, before the curve."""
        return self.intercept + self.design.terms(values).values @ self.weights

    def score(self, values: FloatArray, categories: Sequence[str] | None) -> FloatArray:
        """Scores 1..5. A category that was never rated gets the global fit."""
        scores = self.curve(self.latent(values))
        if categories is not None:
            scores = scores + np.array([self.offsets.get(category, 0.0) for category in categories])
        return np.clip(scores, LOWEST, HIGHEST)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """P(a person accepts) = logistic(intercept + Σ weight·score + lower·lowest score), weights ≥ 0.

    People accept what is good on every axis, so the lowest score says more than a sum can.
    """

    intercept: float
    weights: Mapping[str, float]  # of each axis
    lower: float = 0.0

    def probability(self, scores: Mapping[str, FloatArray]) -> FloatArray:
        """Probabilities from the calibrated scores of each axis."""
        logit: FloatArray = np.asarray(
            self.intercept
            + sum(weight * scores[axis] for axis, weight in self.weights.items())
            + self.lower * np.min([scores[axis] for axis in self.weights], axis=0)
        )
        return 1 / (1 + np.exp(-logit))


@dataclass(frozen=True, slots=True)
class CalibratedScores:
    """What a calibration says of items."""

    scores: Mapping[str, FloatArray]  # of each axis, 1..5
    accept: FloatArray | None  # probability


@dataclass(frozen=True, slots=True)
class Calibration:
    """Models of each axis, P(accept), and the card that says where they come from."""

    axes: Mapping[str, AxisModel]
    acceptance: Acceptance | None
    card: Mapping[str, Json]
    guarantee: Guarantee | None = None

    @property
    def columns(self) -> tuple[SignalColumn, ...]:
        """Every signal that some axis reads."""
        read = (column for model in self.axes.values() for column in model.design.columns)
        return tuple({column.name: column for column in read}.values())

    @property
    def id(self) -> str:
        """Hash of the file: caches of scores are keyed by it."""
        return hash_bytes(dump_calibration(self))

    def apply(self, table: SignalTable) -> CalibratedScores:
        """Score items. Raises UserError where the table's signals aren't those it was made for."""
        self.require(table.columns)
        return self.score(table.named([column.name for column in self.columns]).values, table.categories)

    def score(self, values: FloatArray, categories: Sequence[str] | None) -> CalibratedScores:
        """Score items from their signals [items, columns], in the order of `columns`."""
        places = {column.name: place for place, column in enumerate(self.columns)}
        scores = {}
        for axis, model in self.axes.items():
            read = values[:, [places[column.name] for column in model.design.columns]]
            scores[axis] = model.score(read, categories)
        accept = None if self.acceptance is None else self.acceptance.probability(scores)
        return CalibratedScores(scores, accept)

    def require(self, columns: Sequence[SignalColumn]) -> None:
        """Raise UserError unless these columns hold every signal it reads, from the same revisions."""
        given = {column.name: column for column in columns}
        missing = [column.name for column in self.columns if column.name not in given]
        if missing:
            raise UserError(
                f"the calibration was made for other signals: it reads {', '.join(missing)}, not known here;"
                " measure them, or fit one on these signals"
            )
        for column in self.columns:
            found = given[column.name].spec_id
            if found != column.spec_id:
                raise UserError(
                    f"the calibration was made for another revision of what gives {column.name}:"
                    f" {column.spec_id}, not {found}; fit it anew on ratings of this one"
                )


def dump_calibration(calibration: Calibration) -> bytes:
    """The calibration as one JSON document; floats are written so that they read back the same."""
    places = {column.name: place for place, column in enumerate(calibration.columns)}
    document = {
        "format": FORMAT,
        "card": dict(calibration.card),
        "columns": [asdict(column) for column in calibration.columns],
        "axes": {
            axis: {
                "reads": [places[column.name] for column in model.design.columns],
                "interactions": model.design.interactions,
                "mean": model.design.mean.tolist(),
                # None: a signal without spread, which weighs nothing (JSON has no infinity)
                "spread": [value if np.isfinite(value) else None for value in model.design.spread.tolist()],
                "lowest_consensus": dict(model.design.lowest_consensus),
                "intercept": model.intercept,
                "weights": model.weights.tolist(),
                "curve": {"knots": model.curve.knots.tolist(), "scores": model.curve.scores.tolist()},
                "offsets": dict(model.offsets),
            }
            for axis, model in calibration.axes.items()
        },
        "acceptance": None if calibration.acceptance is None else asdict(calibration.acceptance),
        "guarantee": None if calibration.guarantee is None else calibration.guarantee.document(),
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"


def save_calibration(path: Path, calibration: Calibration) -> None:
    """Write the file; one that exists is never overwritten."""
    if not path.parent.is_dir():
        raise UserError(f"{path.parent} is no folder; make it first")
    try:
        with path.open("xb") as stream:
            stream.write(dump_calibration(calibration))
    except FileExistsError:
        raise UserError(f"{path} exists; give another name, or remove it") from None


def load_calibration(path: Path) -> Calibration:
    """Read a file that `save_calibration` wrote."""
    try:
        document = orjson.loads(path.read_bytes())
    except OSError as error:
        raise UserError(f"no calibration at {path} ({error.strerror}); fit one from ratings") from None
    except orjson.JSONDecodeError:
        raise UserError(f"{path} is no calibration: not JSON; fit one from ratings") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise UserError(f"{path} is no calibration of format {FORMAT}; fit one from ratings")
    try:
        return _parse(document)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise UserError(f"{path} is damaged ({error!r}); fit it anew from ratings") from None


def _parse(document: dict[str, Any]) -> Calibration:
    columns = [SignalColumn(**values) for values in document["columns"]]
    axes = {axis: _parse_axis(values, columns) for axis, values in document["axes"].items()}
    acceptance = None if document["acceptance"] is None else Acceptance(**document["acceptance"])
    promised = document.get("guarantee")
    guarantee = None if promised is None else Guarantee.parse(promised)
    return Calibration(axes, acceptance, document["card"], guarantee)


def _parse_axis(values: dict[str, Any], columns: Sequence[SignalColumn]) -> AxisModel:
    spread = [np.inf if value is None else value for value in values["spread"]]
    design = Design(
        columns=tuple(columns[place] for place in values["reads"]),
        mean=np.array(values["mean"], dtype=np.float64),
        spread=np.array(spread, dtype=np.float64),
        lowest_consensus=values["lowest_consensus"],
        interactions=values["interactions"],
    )
    weights = np.array(values["weights"], dtype=np.float64)
    if len(weights) != len(design.terms(design.mean[None, :]).monotone):
        raise ValueError("weights don't match the signals")
    curve = Curve(np.array(values["curve"]["knots"]), np.array(values["curve"]["scores"]))
    return AxisModel(design, weights, values["intercept"], curve, values["offsets"])
