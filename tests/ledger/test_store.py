from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from tests.ledger.facts import SPEC, any_fact, call, whole_scene
from triptych.errors import RunError, WorkFailed
from triptych.ledger import schema
from triptych.ledger.dialects import connect, lock_for_migration
from triptych.ledger.store import Ledger
from triptych.ledger.writer import GroupCommitter
from triptych.records import Call, Fact, Rating, Scene, Verdict


def everything(ledger: Ledger) -> list[Fact]:
    return [fact for record in schema.TABLES for fact in ledger.facts(record)]  # type: ignore[type-var]


def key(fact: Fact) -> tuple[object, ...]:
    columns = schema.TABLES[type(fact)].primary_key.columns.keys()
    return (type(fact), *(getattr(fact, name) for name in columns))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(facts=st.lists(any_fact, max_size=12, unique_by=key))
def test_what_is_recorded_is_what_is_read(ledger: Ledger, facts: list[Fact]) -> None:
    before = {key(fact): fact for fact in everything(ledger)}
    ledger.record(facts)
    # The first fact under a key stands; hypothesis likes to come back to the same small ids.
    wanted = {key(fact): fact for fact in facts} | before
    assert {key(fact): fact for fact in everything(ledger)} == wanted


def test_recording_again_changes_nothing(ledger: Ledger) -> None:
    facts = whole_scene("a red barn")
    ledger.record(facts)
    once = everything(ledger)
    ledger.record(facts)
    ledger.record([*facts, *facts])
    assert everything(ledger) == once
    assert len(once) == len(facts)


def test_a_transaction_is_whole_or_absent(ledger: Ledger) -> None:
    bad = Scene("a" * 32, "written", "an unpaired surrogate \ud800", None)
    with pytest.raises(UnicodeEncodeError):
        ledger.record([*whole_scene("a red barn"), bad])
    assert everything(ledger) == []


def test_two_calls_are_never_one(ledger: Ledger) -> None:
    first = call("job")
    ledger.record([first])
    ledger.record([replace(first, finished_at=first.finished_at + 1)])
    assert len(list(ledger.facts(Call))) == 2


def test_a_thousand_coroutines_share_transactions(ledger: Ledger) -> None:
    async def submit_all() -> None:
        async with GroupCommitter(ledger) as writer:
            await asyncio.gather(*(writer.submit([call(f"job {n:04}")]) for n in range(1000)))
            # Whoever was answered finds its fact committed.
            await writer.submit([call("last")])
            assert sum(1 for _ in ledger.facts(Call)) == 1001

    asyncio.run(submit_all())
    assert [made.job_id for made in ledger.facts(Call)][:2] == ["job 0000", "job 0001"]


def test_closing_commits_what_was_submitted(ledger: Ledger) -> None:
    async def submit_and_close() -> None:
        writer = GroupCommitter(ledger)
        waiting = [asyncio.create_task(writer.submit([call(f"job {n}")])) for n in range(50)]
        await asyncio.sleep(0)
        await writer.close()
        await asyncio.gather(*waiting)
        with pytest.raises(WorkFailed):
            await writer.submit([call("late")])

    asyncio.run(submit_and_close())
    assert sum(1 for _ in ledger.facts(Call)) == 50


def test_a_cancelled_caller_still_has_its_facts_committed(ledger: Ledger) -> None:
    async def submit_and_cancel() -> None:
        async with GroupCommitter(ledger) as writer:
            waiting = [asyncio.create_task(writer.submit([call(f"job {n}")])) for n in range(20)]
            await asyncio.sleep(0)
            for task in waiting[::2]:
                task.cancel()
            outcomes = await asyncio.gather(*waiting, return_exceptions=True)
            assert sum(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes) == 10

    asyncio.run(submit_and_cancel())
    assert sum(1 for _ in ledger.facts(Call)) == 20


def test_a_bad_fact_fails_alone(ledger: Ledger) -> None:
    bad = Verdict("a" * 32, "adherence", SPEC.id, 0, None, "unparsed", "\ud800")

    async def submit_all() -> list[BaseException | None]:
        async with GroupCommitter(ledger) as writer:
            facts: list[Fact] = [call(f"job {n}") for n in range(9)]
            facts.insert(4, bad)
            return await asyncio.gather(*(writer.submit([fact]) for fact in facts), return_exceptions=True)

    outcomes = asyncio.run(submit_all())
    assert [type(outcome) for outcome in outcomes if outcome is not None] == [UnicodeEncodeError]
    assert sum(1 for _ in ledger.facts(Call)) == 9


def test_power_safe_ledger_records(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.sqlite", durability="power") as ledger:
        with ledger.reading() as connection:
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2  # FULL
        ledger.record([call("job")])
        assert list(ledger.facts(Call)) == [call("job")]


# ---- killed, full, held ----------------------------------------------------------------------------------

WRITE_UNTIL_KILLED = """
import asyncio, sys
from tests.ledger.facts import call
from triptych.ledger.store import Ledger
from triptych.ledger.writer import GroupCommitter

async def keep_writing():
    async with GroupCommitter(Ledger.open(sys.argv[1])) as writer:
        async def one(lane):
            number = 0
            while True:
                number += 1
                # Two facts a transaction: a torn one would show as an odd count.
                await writer.submit([call(f"job {lane}", number), call(f"twin {lane}", number)])
                print(lane, number, flush=True)
        await asyncio.gather(*(one(lane) for lane in range(8)))

asyncio.run(keep_writing())
"""


def test_kill_loses_nothing_that_was_committed(where: str | Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", WRITE_UNTIL_KILLED, str(where)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as writer:
        assert writer.stdout is not None
        said = [writer.stdout.readline() for _ in range(200)]
        writer.send_signal(signal.SIGKILL)
        said += writer.stdout.readlines()
    answered = {tuple(line.split()) for line in said if line.endswith("\n")}
    with Ledger.open(where) as ledger:
        kept = {(made.job_id, made.number) for made in ledger.facts(Call)}
        ledger.record([call("after")])
    assert {(f"job {lane}", int(number)) for lane, number in answered} <= kept
    assert {("twin" + job[3:], number) for job, number in kept if job.startswith("job")} == {
        (job, number) for job, number in kept if job.startswith("twin")
    }


FILL_THE_DISK = """
import asyncio, resource, sys
from tests.ledger.facts import call
from triptych.errors import WorkFailed
from triptych.ledger.store import Ledger
from triptych.ledger.writer import GroupCommitter

ledger = Ledger.open(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))  # files that grow no more: a full disk

async def fill():
    async with GroupCommitter(ledger) as writer:
        written = 0
        while True:
            outcomes = await asyncio.gather(
                *(writer.submit([call(f"job {written + n}")]) for n in range(50)),
                return_exceptions=True,
            )
            failed = [outcome for outcome in outcomes if outcome is not None]
            written += 50 - len(failed)
            if failed:
                assert all(type(outcome) is WorkFailed for outcome in failed), failed
                print(written)
                print(failed[0])
                return

asyncio.run(fill())
"""


def test_full_disk_is_told_and_loses_nothing(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    ledger_file = tmp_path / "ledger.sqlite"
    done = subprocess.run(
        [sys.executable, "-c", FILL_THE_DISK, str(ledger_file)],
        capture_output=True,
        env=environment,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    written, message = done.stdout.splitlines()
    assert str(ledger_file) in message
    assert "run the same command again" in message
    assert int(written) > 0
    with Ledger.open(ledger_file) as ledger:
        assert sum(1 for _ in ledger.facts(Call)) == int(written)


# ---- formats ---------------------------------------------------------------------------------------------


@contextmanager
def changing(where: str | Path) -> Iterator[Connection]:
    engine = connect(where, read_only=False, durability="process")
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def set_format(where: str | Path, number: int) -> None:
    with changing(where) as connection:
        connection.execute(
            schema.meta.update().where(schema.meta.c.key == "format").values(value=str(number))
        )


def migrated(where: str | Path, *steps: Callable[[Connection], None]) -> None:
    """Steps beyond those that ship."""
    with changing(where) as connection:
        lock_for_migration(connection)
        schema.migrate(connection, "here", (*schema.MIGRATIONS, *steps))


@pytest.mark.parametrize("read_only", [False, True])
def test_a_newer_ledger_is_refused_and_left_alone(where: str | Path, read_only: bool) -> None:
    with Ledger.open(where) as ledger:
        ledger.record([call("job")])
    set_format(where, 99)
    with pytest.raises(RunError, match=r"newer triptych.*upgrade with") as refusal:
        Ledger.open(where, read_only=read_only)
    assert "\n" not in str(refusal.value)
    set_format(where, 1)
    with Ledger.open(where) as ledger:
        assert list(ledger.facts(Call)) == [call("job")]


def add_colour(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE scene ADD COLUMN colour TEXT"))


def test_an_older_ledger_is_brought_up_to_date(where: str | Path) -> None:
    with Ledger.open(where) as ledger:
        ledger.record([call("job")])
    ran: list[str] = []
    steps = (*schema.MIGRATIONS, add_colour, lambda _: ran.append("second"))
    migrated(where, *steps)
    migrated(where, *steps)  # the same column twice would fail
    assert ran == ["second"]
    with pytest.raises(RunError, match="newer"):
        Ledger.open(where)
    set_format(where, 1 + len(schema.MIGRATIONS))
    with Ledger.open(where) as ledger:
        assert list(ledger.facts(Call)) == [call("job")]


def test_a_ledger_from_before_ratings_takes_them(where: str | Path) -> None:
    with Ledger.open(where) as ledger:
        ledger.record([call("job")])
    with changing(where) as connection:
        connection.execute(text("DROP TABLE rating"))
    set_format(where, 1)
    with pytest.raises(RunError, match="older format"):
        Ledger.open(where, read_only=True)
    rating = Rating("pair", "ann", "adherence", 0, 4.5)
    with Ledger.open(where) as ledger:
        ledger.record([rating])
    with Ledger.open(where, read_only=True) as ledger:
        assert everything(ledger) == [rating, call("job")]


def test_a_failing_migration_leaves_no_trace(where: str | Path) -> None:
    Ledger.open(where).close()

    def fail(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE half_done (id TEXT)"))
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        migrated(where, add_colour, fail)
    migrated(where, add_colour)  # fails where the first try left its column, or its record
    with changing(where) as connection:
        assert schema.format_of(connection) == 2 + len(schema.MIGRATIONS)
        connection.execute(text("CREATE TABLE half_done (id TEXT)"))


# ---- places that hold no ledger --------------------------------------------------------------------------


def test_reading_where_there_is_none_makes_none(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="there is no ledger at"):
        Ledger.open(tmp_path / "ledger.sqlite", read_only=True)
    assert list(tmp_path.iterdir()) == []


def test_a_reader_cannot_write(where: str | Path) -> None:
    Ledger.open(where).close()
    with Ledger.open(where, read_only=True) as ledger, pytest.raises(WorkFailed, match="can't be written"):
        ledger.record([call("job")])


def test_another_file_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "ledger.sqlite"
    other.write_bytes(b"these are notes, not facts\n" * 100)
    with pytest.raises(RunError, match="is no ledger"):
        Ledger.open(other)
    assert other.read_bytes().startswith(b"these are notes")


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="can't be written"):
        Ledger.open(tmp_path / "nowhere" / "ledger.sqlite")


@pytest.mark.parametrize("url", ["mysql://host/ledger", "postgresql://[", "sqlite://"])
def test_another_kind_of_database_is_refused(url: str) -> None:
    with pytest.raises(RunError):
        Ledger.open(url)


def test_a_ledger_left_in_the_middle_is_read_as_it_was(tmp_path: Path) -> None:
    """A reader sees a committed state while a writer is in the middle of its transaction."""
    place = tmp_path / "ledger.sqlite"
    with Ledger.open(place) as ledger:
        ledger.record([call("job")])
        writer = sqlite3.connect(place, isolation_level=None)
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM call")
        started = time.perf_counter()
        with Ledger.open(place, read_only=True) as reader:
            assert list(reader.facts(Call)) == [call("job")]
        assert time.perf_counter() - started < 5
        writer.execute("ROLLBACK")
        writer.close()
