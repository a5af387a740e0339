from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ledger.facts import JUDGE, SPEC, call
from triptych.errors import RunError
from triptych.ledger.run import RunFolder
from triptych.records import Call

HOLD = """
import sys, time
from pathlib import Path
from triptych.ledger.run import RunFolder

with RunFolder.create(Path(sys.argv[1])).held_for_mining():
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_run_is_made_and_found_again(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "first"
    with pytest.raises(RunError, match="there is no run in"):
        RunFolder.existing(folder)
    assert not folder.exists()
    run = RunFolder.create(folder)
    with run.open_ledger() as ledger:
        ledger.record([call("job")])
    image = run.image_store().put(b"image")
    assert RunFolder.create(folder) == RunFolder.existing(folder) == run
    with run.open_ledger(read_only=True) as ledger:
        assert list(ledger.facts(Call)) == [call("job")]
    assert run.image_store().get(image) == b"image"


def test_somebody_elses_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("Chapter 1")
    with pytest.raises(RunError, match="isn't empty and holds no run"):
        RunFolder.create(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_run_killed_before_its_first_fact_goes_on(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path)
    with run.held_for_mining():
        run.recipe.write_text("scenes: 3")
    RunFolder.create(tmp_path).open_ledger().close()


def test_a_file_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    with pytest.raises(RunError, match="can't be written"):
        RunFolder.create(tmp_path / "run")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that any account may look into, which pytest's own is not."""
    folder = Path(tempfile.mkdtemp(prefix="triptych-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


READ_ONLY = """
import os, sys
from pathlib import Path
from triptych.errors import RunError
from triptych.ledger.run import RunFolder

if os.geteuid() == 0:
    os.setgroups([]), os.setgid(65534), os.setuid(65534)  # root may write anywhere
path = Path(sys.argv[1])
for use in (RunFolder.create, lambda path: RunFolder(path).open_ledger()):
    try:
        use(path)
    except RunError as error:
        print(error)
with RunFolder.existing(path).open_ledger(read_only=True) as ledger:
    from triptych.records import Call
    print(len(list(ledger.facts(Call))), "facts")
"""


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs POSIX permissions")
def test_a_read_only_run_can_be_read_and_says_why_it_is_not_written(open_folder: Path) -> None:
    run = RunFolder.create(open_folder / "run")
    with run.open_ledger() as ledger:
        ledger.record([call("job")])
    run.ledger.chmod(0o444)
    run.path.chmod(0o555)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", READ_ONLY, str(run.path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    run.path.chmod(0o755)
    assert done.returncode == 0, done.stderr
    created, opened, read = done.stdout.splitlines()
    assert "can't be written" in created
    assert "writable" in created
    assert "can't be written" in opened
    assert read == "1 facts"


def test_one_miner_at_a_time_and_a_killed_one_lets_go(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as miner:
        assert miner.stdout is not None
        assert miner.stdout.readline() == "held\n"
        run = RunFolder.create(tmp_path)
        with (
            pytest.raises(RunError, match=rf"mined by process {miner.pid} on host {platform.node()}: wait"),
            run.held_for_mining(),
        ):
            pass
        run.open_ledger().close()  # reading and judging by hand goes on meanwhile
        miner.send_signal(signal.SIGKILL)
        miner.wait()
    for _ in range(2):
        with run.held_for_mining():
            pass


def test_the_lock_file_keeps_every_environment(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path)
    assert run.read_lock() == []
    run.write_lock([SPEC])
    written = run.lock_file.stat().st_mtime_ns
    run.write_lock([SPEC])
    assert run.lock_file.stat().st_mtime_ns == written
    run.write_lock([SPEC, JUDGE])
    first, second = json.loads(run.lock_file.read_text())
    assert first["python"] == platform.python_version()
    assert "numpy" in first["packages"]
    assert first["roles"] == {
        f"editor {SPEC.id}": {"backend": "tests:Editor", "revision": "1", "settings": {"steps": 4}}
    }
    assert set(second["roles"]) == {f"editor {SPEC.id}", f"validator {JUDGE.id}"}
    run.lock_file.write_text("half a fi")
    with pytest.raises(RunError, match="damaged"):
        run.write_lock([SPEC])
