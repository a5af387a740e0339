from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import pytest

from triptych.ledger.store import Ledger


def _postgresql_programs() -> Path | None:
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which("initdb")
    if found:
        places.insert(0, Path(found).resolve().parent)
    return next((place for place in places if (place / "initdb").exists()), None)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Callable[[], str]]:
    """Makes an empty database, on a server of this session's own behind a Unix socket, and gives its URL."""
    programs = _postgresql_programs()
    if programs is None or find_spec("psycopg") is None:
        pytest.skip("needs PostgreSQL's server programs and the psycopg package")
    # Not in pytest's own folder, which is closed to the account that the server runs under.
    folder = Path(tempfile.mkdtemp(prefix="triptych-"))
    account = {}
    if os.geteuid() == 0:  # the server refuses to run as root
        account = {"user": "nobody", "group": "nogroup"}
        shutil.chown(folder, **account)

    def run(*command: str) -> None:
        done = subprocess.run(
            [programs / command[0], *command[1:]],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            **account,
        )
        assert done.returncode == 0, done.stderr

    data = str(folder / "data")
    run("initdb", "-D", data, "-U", "miner", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
    options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
    run("pg_ctl", "-D", data, "-w", "-o", options, "-l", str(folder / "log"), "start")
    numbers = count()

    def database() -> str:
        name = f"ledger{next(numbers)}"
        run("createdb", "-h", str(folder), "-U", "miner", name)
        return f"postgresql://miner@/{name}?host={folder}"

    try:
        yield database
    finally:
        run("pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path:
    """A place for a new ledger, of each kind."""
    if request.param == "sqlite":
        return tmp_path / "ledger.sqlite"
    return str(request.getfixturevalue("postgresql")())


@pytest.fixture
def ledger(where: str | Path) -> Iterator[Ledger]:
    """A new ledger, of each kind."""
    with Ledger.open(where) as opened:
        yield opened
