"""Questions to the ledger. Every answer has a fixed order, so what is derived from it does too."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Literal, TypeVar

from sqlalchemy import Connection, Table, func, literal, select, union_all

from triptych.ledger import schema
from triptych.ledger.store import Ledger
from triptych.records import (
    CANARY_REPEATS,
    Attempt,
    Brief,
    Call,
    Comparison,
    Edit,
    Finding,
    Outcome,
    Pair,
    Paraphrase,
    Phrase,
    Rating,
    RoleName,
    Scene,
    Source,
    Spec,
    Verdict,
    judge_job_id,
)

S = TypeVar("S", Rating, Comparison, Finding)
ImageKind = Literal["source", "attempt", "pair"]

_SCENES_AT_ONCE = 32
_IDS_AT_ONCE = 5_000  # SQLite takes 32,766 values in a statement, PostgreSQL 65,535


@dataclass(frozen=True, slots=True)
class CallHistory:
    """How often the calls for a job failed, by outcome, and why the last one did."""

    rejected: int = 0
    model_errors: int = 0
    infrastructure_errors: int = 0
    last_reason: str | None = None

    @property
    def failures(self) -> int:
        """Calls that gave no result."""
        return self.rejected + self.model_errors + self.infrastructure_errors


@dataclass(frozen=True, slots=True)
class SceneFacts:
    """All facts about a scene. Of a picture made several times, only the latest revision."""

    scene: Scene
    edits: tuple[Edit, ...]  # by ordinal
    phrases: tuple[Phrase, ...]  # by id
    paraphrases: tuple[Paraphrase, ...]  # by instruction, writer's spec and ordinal
    sources: tuple[Source, ...]  # by seed
    attempts: Mapping[tuple[str, str], tuple[Attempt, ...]]  # (source or attempt id, edit id) → by seed
    signals: Mapping[str, Mapping[str, Mapping[str, float]]]  # pair id → spec id → name → value
    verdicts: Mapping[
        str, Mapping[tuple[str, str], Verdict]
    ]  # a source's image, a pair's or paraphrase's id → (spec id, question); repeat 0 only
    calls: Mapping[str, CallHistory]  # job id → its failures; a job that never failed isn't here
    # subject → spec id → number of the next repeat, where a verdict is in doubt
    again: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RoleCost:
    """What a role's calls cost, failed ones too. Price and tokens are None where no call's are known."""

    calls: int = 0
    seconds: float = 0.0  # model-seconds
    price: float | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None


def specs(ledger: Ledger) -> dict[str, Spec]:
    """Every spec by its id."""
    return {spec.id: spec for spec in ledger.facts(Spec)}


def briefs(ledger: Ledger) -> dict[str, Brief]:
    """Every brief by its id."""
    return {brief.id: brief for brief in ledger.facts(Brief)}


def call_histories(ledger: Ledger, job_ids: Sequence[str]) -> dict[str, CallHistory]:
    """Failures of these jobs; for jobs whose scene isn't known yet. Those that never failed are left out."""
    with ledger.reading() as connection:
        return _histories(_rows(connection, schema.call, "job_id", job_ids, failed=True))


def scene_facts(ledger: Ledger, wanted: Sequence[str]) -> Iterator[SceneFacts]:
    """Facts of these scenes, in the order given, loaded a few at a time. Unknown ids are passed over."""
    for some in _batches(wanted, _SCENES_AT_ONCE):
        with ledger.reading() as connection:
            chunk = _load(connection, some)
        yield from chunk


def costs(ledger: Ledger) -> dict[RoleName, RoleCost]:
    """What each role has cost so far; a role that was never called isn't here."""
    call = schema.call.c
    sums = (func.sum(column) for column in (call.seconds, call.price, call.tokens_in, call.tokens_out))
    asked = select(call.role, func.count(), *sums)
    with ledger.reading() as connection:
        rows = connection.execute(asked.group_by(call.role).order_by(call.role)).all()
    return {
        role: RoleCost(calls, seconds, price, *(None if told is None else int(told) for told in tokens))
        for role, calls, seconds, price, *tokens in rows  # PostgreSQL adds integers up to decimals
    }


def terms(ledger: Ledger) -> dict[RoleName, tuple[str, ...]]:
    """Terms under which each role's answers came, where any were told, sorted."""
    call = schema.call.c
    asked = select(call.role, call.terms).where(call.terms.is_not(None)).distinct()
    found: dict[RoleName, tuple[str, ...]] = {}
    with ledger.reading() as connection:
        for role, told in connection.execute(asked.order_by(call.role, call.terms)):
            found[role] = (*found.get(role, ()), told)
    return found


def spent(ledger: Ledger) -> RoleCost:
    """What all calls together have cost so far."""
    by_role = costs(ledger).values()
    prices = [cost.price for cost in by_role if cost.price is not None]
    return RoleCost(
        sum(cost.calls for cost in by_role),
        sum(cost.seconds for cost in by_role),
        sum(prices) if prices else None,
    )


def failures(ledger: Ledger) -> dict[str, int]:
    """How many calls gave no result, by reason, the commonest first."""
    call = schema.call.c
    reason = func.coalesce(call.reason, call.outcome)
    asked = select(reason, func.count()).where(call.outcome != "made").group_by(reason)
    with ledger.reading() as connection:
        counts = [(row[0], row[1]) for row in connection.execute(asked)]
    return dict(sorted(counts, key=lambda item: (-item[1], item[0])))


def ratings(ledger: Ledger) -> list[Rating]:
    """What every rater stands by, in the order of pair, rater and axis."""
    return standing(ledger.facts(Rating))


def standing(said: Iterable[Rating]) -> list[Rating]:
    """Each rater's latest sitting on each pair and axis, where that has a score."""
    latest: dict[tuple[str, str, str], Rating] = {}
    for rating in said:
        key = rating.pair_id, rating.axis, rating.rater
        if key not in latest or latest[key].sitting <= rating.sitting:
            latest[key] = rating
    return [rating for rating in latest.values() if rating.score is not None]


def comparisons(ledger: Ledger) -> list[Comparison]:
    """Which of two pairs every rater stands by, in the order of the pairs and the rater."""
    latest = {(said.pair_id, said.other_id, said.rater): said for said in ledger.facts(Comparison)}
    return [said for said in latest.values() if said.preferred is not None]


def findings(ledger: Ledger) -> list[Finding]:
    """What every rater stands by of a spot check, in the order of pair and rater."""
    latest = {(found.pair_id, found.rater): found for found in ledger.facts(Finding)}
    return [found for found in latest.values() if found.flaw is not None]


def said_of(ledger: Ledger, record: type[S], pair_id: str) -> list[S]:
    """All that people said of a pair in facts of this type, withdrawn things too, by rater and sitting."""
    with ledger.reading() as connection:
        return [record(*row) for row in _rows(connection, schema.TABLES[record], "pair_id", [pair_id])]


def known_pairs(ledger: Ledger, wanted: Sequence[str]) -> set[str]:
    """Which of these ids are Pairs of this ledger."""
    with ledger.reading() as connection:
        return {row.id for row in _rows(connection, schema.pair, "id", wanted)}


def calls_of_scene(ledger: Ledger, scene_id: str) -> list[Call]:
    """Every call made for a scene, in the order of its key."""
    with ledger.reading() as connection:
        return [Call(*row) for row in _rows(connection, schema.call, "scene_id", [scene_id])]


def calls_by_scene(ledger: Ledger) -> dict[str, tuple[int, float]]:
    """For every scene with calls, how many, and when the last one ended (seconds since the epoch)."""
    call = schema.call.c
    asked = select(call.scene_id, func.count(), func.max(call.finished_at)).where(call.scene_id.is_not(None))
    with ledger.reading() as connection:  # all three are in the index by scene
        return {row[0]: (row[1], row[2]) for row in connection.execute(asked.group_by(call.scene_id))}


def doubts_of(ledger: Ledger) -> int:
    """How many verdicts were put in doubt so far."""
    with ledger.reading() as connection:
        return connection.execute(select(func.count()).select_from(schema.doubt)).scalar_one()


def verdicts_of(ledger: Ledger, subject: str, spec: str) -> tuple[Verdict, ...]:
    """What a judge said about a subject, by question; empty where it never looked."""
    verdict = schema.verdict.c
    asked = select(schema.verdict).where(verdict.subject_id == subject, verdict.spec_id == spec)
    with ledger.reading() as connection:
        rows = connection.execute(asked.order_by(verdict.question, verdict.repeat)).all()
        doubted = {tuple(row)[:3] for row in _rows(connection, schema.doubt, "subject_id", [subject])}
    by_question: dict[str, list[Verdict]] = defaultdict(list)
    for row in rows:
        by_question[row.question].append(Verdict(*row))
    found = (standing_verdict(given, doubted) for given in by_question.values())
    return tuple(verdict for verdict in found if verdict is not None)


def standing_verdict(given: Sequence[Verdict], doubted: Collection[tuple[str, str, int]]) -> Verdict | None:
    """What a judge says of a subject: the mean of the answers that it gave to all repeats not in doubt."""
    counted = [
        verdict
        for verdict in given
        if verdict.repeat < CANARY_REPEATS
        and (verdict.subject_id, verdict.spec_id, verdict.repeat) not in doubted
    ]
    values = [verdict.value for verdict in counted if verdict.value is not None]
    if len(counted) < 2 or not values:
        return counted[0] if counted else None
    answered = next(verdict for verdict in counted if verdict.value is not None)
    return replace(answered, value=round(sum(values) / len(values), 4))


def _next_repeat(said: Mapping[tuple[str, str, str], Sequence[Verdict]], subject: str, spec: str) -> int:
    repeats = [
        verdict.repeat
        for (of, by, _), given in said.items()
        if (of, by) == (subject, spec)
        for verdict in given
        if verdict.repeat < CANARY_REPEATS
    ]
    return max(repeats, default=-1) + 1


@dataclass(frozen=True, slots=True)
class CanaryFacts:
    """Checks of a judge so far, by the pairs that it is asked about again and again."""

    pairs: tuple[Pair, ...] = ()
    own: Mapping[tuple[str, str], Verdict] = field(default_factory=dict)  # (pair, question), at first sight
    checks: tuple[Mapping[tuple[str, str], Verdict], ...] = ()
    began: tuple[float, ...] = ()  # of each check, seconds since the epoch


def canary_facts(ledger: Ledger, spec: str) -> CanaryFacts:
    """What a judge was asked to check itself, by check."""
    verdict, call = schema.verdict.c, schema.call.c
    asked = select(schema.verdict).where(verdict.spec_id == spec, verdict.repeat >= CANARY_REPEATS)
    checks: dict[int, dict[tuple[str, str], Verdict]] = defaultdict(dict)
    with ledger.reading() as connection:
        for row in connection.execute(asked):
            said = Verdict(*row)
            checks[said.repeat][said.subject_id, said.question] = said
        if not checks:
            return CanaryFacts()
        pairs = sorted({subject for subject, _ in checks[min(checks)]})
        known = [Pair(*row) for row in _rows(connection, schema.pair, "id", pairs)]
        own = {
            (row[0], row[1]): Verdict(*row)
            for row in _rows(connection, schema.verdict, "subject_id", pairs)
            if row[2] == spec and row[3] == 0
        }
        began = []
        for repeat in sorted(checks):
            jobs = [judge_job_id(pair, spec, repeat) for pair in pairs]
            times = select(func.min(call.finished_at - call.seconds)).where(call.job_id.in_(jobs))
            began.append(connection.execute(times).scalar() or 0.0)
    return CanaryFacts(tuple(known), own, tuple(checks[repeat] for repeat in sorted(checks)), tuple(began))


@dataclass(frozen=True, slots=True)
class TimedVerdict:
    """When a judge said what it said of a subject."""

    subject_id: str
    repeat: int
    finished_at: float


def verdicts_since(ledger: Ledger, spec: str, moment: float) -> list[TimedVerdict]:
    """What a judge said after a moment (seconds since the epoch), in order; not of canaries, nor in doubt."""
    verdict, call, doubt = schema.verdict.c, schema.call.c, schema.doubt.c
    asked = select(verdict.subject_id, verdict.repeat).where(verdict.spec_id == spec)
    calls = select(call.job_id, func.max(call.finished_at)).where(
        call.spec_id == spec, call.finished_at > moment
    )
    with ledger.reading() as connection:
        ended = {row[0]: row[1] for row in connection.execute(calls.group_by(call.job_id))}
        rows = connection.execute(asked.where(verdict.repeat < CANARY_REPEATS).distinct()).all()
        known = select(doubt.subject_id, doubt.repeat).where(doubt.spec_id == spec)
        doubted = {tuple(row) for row in connection.execute(known)}
    found = []
    for subject, repeat in (tuple(row) for row in rows if tuple(row) not in doubted):
        finished = ended.get(judge_job_id(subject, spec, repeat))
        if finished is not None:
            found.append(TimedVerdict(subject, repeat, finished))
    return sorted(found, key=lambda one: (one.finished_at, one.subject_id))


def images(ledger: Ledger) -> Iterator[tuple[str, ImageKind, str]]:
    """(image, what names it, its id) for every image that is still wanted, sorted; an image may recur.

    Earlier revisions aren't wanted: their pictures were lost. Of Pairs, only those are here that no attempt
    made.
    """
    source, attempt, pair = schema.source.c, schema.attempt.c, schema.pair.c
    no_attempt = ~select(attempt.id).where(attempt.pair_id == pair.id).exists()
    named = [
        select(source.image.label("image"), literal("source").label("kind"), source.id).where(
            _latest(schema.source)
        ),
        select(attempt.image, literal("attempt"), attempt.id).where(_latest(schema.attempt)),
        select(pair.source_image, literal("pair"), pair.id).where(no_attempt),
        select(pair.edited_image, literal("pair"), pair.id).where(no_attempt),
    ]
    everything = union_all(*named).subquery()
    columns = everything.c
    ordered = select(columns.image, columns.kind, columns.id).order_by(
        columns.image, columns.kind, columns.id
    )
    with ledger.reading() as connection:
        for row in connection.execution_options(yield_per=_IDS_AT_ONCE).execute(ordered):
            yield row.image, row.kind, row.id


# ---- a chunk of scenes -----------------------------------------------------------------------------------


def _load(connection: Connection, wanted: Sequence[str]) -> list[SceneFacts]:
    """Facts of a few scenes: one look-up for each table, parted by scene in memory."""
    scenes = {row[0]: Scene(*row) for row in _rows(connection, schema.scene, "id", wanted)}
    edits: dict[str, list[Edit]] = defaultdict(list)
    for row in _rows(connection, schema.edit, "scene_id", wanted):
        edits[row[1]].append(Edit(*row))
    phrases: dict[str, list[Phrase]] = defaultdict(list)
    for row in _rows(connection, schema.phrase, "scene_id", wanted):
        phrases[row[1]].append(Phrase(*row))
    paraphrases: dict[str, list[Paraphrase]] = defaultdict(list)
    for row in _rows(connection, schema.paraphrase, "scene_id", wanted):
        paraphrases[row[1]].append(Paraphrase(*row))
    sources: dict[str, dict[str, Source]] = defaultdict(dict)
    scene_of_source: dict[str, str] = {}
    for row in _rows(connection, schema.source, "scene_id", wanted):  # by revision: the latest comes last
        source = Source(*row)
        sources[source.scene_id][source.id] = source
        scene_of_source[source.id] = source.scene_id
    attempts: dict[str, dict[str, Attempt]] = defaultdict(dict)
    scene_of_base, bases = dict(scene_of_source), list(scene_of_source)
    while bases:  # on sources, then on what was made on those
        rows = _rows(connection, schema.attempt, "source_id", bases)
        bases = []
        for row in rows:
            attempt = Attempt(*row)
            scene = scene_of_base[attempt.source_id]
            attempts[scene][attempt.id] = attempt
            if attempt.id not in scene_of_base:
                scene_of_base[attempt.id] = scene
                bases.append(attempt.id)

    scenes_of_pair: dict[str, dict[str, None]] = defaultdict(dict)
    for scene, made in attempts.items():
        for attempt in made.values():
            scenes_of_pair[attempt.pair_id][scene] = None
    for derived, _, parent, _ in _rows(connection, schema.derivation, "parent_id", list(scenes_of_pair)):
        scenes_of_pair[derived] |= scenes_of_pair[parent]
    pairs = list(scenes_of_pair)
    pairs_of_scene: dict[str, list[str]] = defaultdict(list)
    for pair, sharing in scenes_of_pair.items():
        for scene in sharing:
            pairs_of_scene[scene].append(pair)
    signals: dict[str, dict[str, dict[str, float]]] = defaultdict(dict)
    for pair, name, spec, value in _rows(connection, schema.signal, "pair_id", pairs):
        signals[pair].setdefault(spec, {})[name] = value
    pictures = list({source.image: None for known in sources.values() for source in known.values()})
    verdicts: dict[str, dict[tuple[str, str], Verdict]] = defaultdict(dict)
    said: dict[tuple[str, str, str], list[Verdict]] = defaultdict(list)
    wordings = [made.id for some in paraphrases.values() for made in some]
    for row in _rows(connection, schema.verdict, "subject_id", [*pictures, *pairs, *wordings]):
        said[row[0], row[2], row[1]].append(Verdict(*row))
    subjects_in_doubt = _rows(connection, schema.doubt, "subject_id", list({key[0] for key in said}))
    doubted = {(row.subject_id, row.spec_id, row.repeat) for row in subjects_in_doubt}
    for (subject, spec, question), given in said.items():
        if (standing := standing_verdict(given, doubted)) is not None:
            verdicts[subject][spec, question] = standing
    again: dict[str, dict[str, int]] = defaultdict(dict)
    for subject, spec, _ in doubted:
        again[subject][spec] = _next_repeat(said, subject, spec)
    calls: dict[str, list[Any]] = defaultdict(list)
    for row in _rows(connection, schema.call, "scene_id", wanted, failed=True):
        calls[row.scene_id].append(row)

    found = []
    for id_ in wanted:
        if id_ not in scenes:
            continue
        subjects = [source.image for source in sources[id_].values()]
        subjects.extend(pairs_of_scene[id_])
        subjects.extend(made.id for made in paraphrases[id_])
        found.append(
            SceneFacts(
                scenes[id_],
                tuple(sorted(edits[id_], key=lambda edit: (edit.ordinal, edit.id))),
                tuple(sorted(phrases[id_], key=lambda phrase: phrase.id)),
                tuple(sorted(paraphrases[id_], key=_as_written)),
                tuple(sorted(sources[id_].values(), key=lambda source: (source.seed, source.id))),
                _by_source_and_edit(attempts[id_].values()),
                {subject: signals[subject] for subject in subjects if subject in signals},
                {subject: verdicts[subject] for subject in subjects if subject in verdicts},
                _histories(calls[id_]),
                {subject: again[subject] for subject in subjects if subject in again},
            )
        )
    return found


def _as_written(made: Paraphrase) -> tuple[str, str, int]:
    return made.instruction, made.spec_id, made.ordinal


def _by_source_and_edit(attempts: Collection[Attempt]) -> dict[tuple[str, str], tuple[Attempt, ...]]:
    grouped: dict[tuple[str, str], list[Attempt]] = defaultdict(list)
    for attempt in sorted(attempts, key=lambda attempt: (attempt.seed, attempt.id)):
        grouped[attempt.source_id, attempt.edit_id].append(attempt)
    return {key: tuple(made) for key, made in sorted(grouped.items())}


def _histories(failed_calls: Collection[Any]) -> dict[str, CallHistory]:
    """Histories from rows of the call table, which are in the order in which each job's calls were made."""
    histories: dict[str, CallHistory] = {}
    for _, _, job, _, outcome, reason, *_ in failed_calls:
        histories[job] = _after(histories.get(job, CallHistory()), outcome, reason)
    return histories


def _after(history: CallHistory, outcome: Outcome, reason: str | None) -> CallHistory:
    return replace(
        history,
        rejected=history.rejected + (outcome == "rejected"),
        model_errors=history.model_errors + (outcome == "model_error"),
        infrastructure_errors=history.infrastructure_errors + (outcome == "infrastructure_error"),
        last_reason=reason,
    )


def _rows(
    connection: Connection, table: Table, column: str, values: Sequence[str], *, failed: bool = False
) -> list[Any]:
    """Rows whose column has one of these values, each value's in the order of the key."""
    rows: list[Any] = []
    for some in _batches(values, _IDS_AT_ONCE):
        asked = select(table).where(table.c[column].in_(some)).order_by(*table.primary_key)
        if failed:
            asked = asked.where(table.c.outcome != "made")
        rows.extend(connection.execute(asked).all())
    return rows


def _latest(table: Table) -> Any:
    later = table.alias("later")
    return ~select(later.c.id).where(later.c.id == table.c.id, later.c.revision > table.c.revision).exists()


def _batches(values: Sequence[str], size: int) -> Iterator[list[str]]:
    rest = iter(values)
    while some := list(islice(rest, size)):
        yield some
