from __future__ import annotations

import errno
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.ledger.facts import picture
from triptych.errors import DamagedImage, MissingImage, WorkFailed
from triptych.ledger.images import ImageStore
from triptych.records import hash_bytes

PNG = b"\x89PNG\r\n\x1a\n and so on"


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    return ImageStore(tmp_path / "images")


def files(store: ImageStore) -> list[Path]:
    return sorted(path for path in store.folder.rglob("*") if path.is_file())


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200))
def test_what_is_put_is_what_is_got(store: ImageStore, data: bytes) -> None:
    name = store.put(data)
    assert name == hash_bytes(data)
    assert store.get(name) == data
    assert store.exists(name)
    assert store.check(name) == "ok"


def test_files_have_the_suffix_that_viewers_want(store: ImageStore) -> None:
    jpeg, png = store.put(picture("one")), store.put(PNG)
    assert [path.relative_to(store.folder) for path in files(store)] == sorted(
        [Path(jpeg[:2], f"{jpeg}.jpg"), Path(png[:2], f"{png}.png")]
    )
    assert store.path(png).read_bytes() == PNG


def test_an_image_is_written_once(store: ImageStore) -> None:
    name = store.put(picture("one"))
    before = store.path(name).stat()
    assert store.put(picture("one")) == name
    after = store.path(name).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_an_image_that_is_gone_is_named(store: ImageStore) -> None:
    name = hash_bytes(b"never stored")
    assert not store.exists(name)
    assert store.check(name) == "missing"
    for ask in (store.get, store.path):
        with pytest.raises(MissingImage, match=name) as missing:
            ask(name)
        assert missing.value.image == name
        assert pickle.loads(pickle.dumps(missing.value)).image == name


def test_a_flipped_bit_is_seen_and_mended_by_putting_again(store: ImageStore) -> None:
    data = picture("one")
    name = store.put(data)
    store.path(name).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert store.check(name) == "damaged"
    with pytest.raises(DamagedImage, match=name):
        store.get(name)
    assert store.put(data) == name
    assert store.check(name) == "ok"
    assert len(files(store)) == 1


def test_many_writers_of_one_image(store: ImageStore) -> None:
    data = os.urandom(50_000)
    with ThreadPoolExecutor(8) as threads:
        names = set(threads.map(store.put, [data] * 40))
    assert names == {hash_bytes(data)}
    assert len(files(store)) == 1
    assert store.get(names.pop()) == data


FILL_THE_DISK = """
import resource, sys
from pathlib import Path
from triptych.errors import WorkFailed
from triptych.ledger.images import ImageStore

resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
store = ImageStore(Path(sys.argv[1]))
store.put(b"small")
try:
    store.put(bytes(100_000))
except WorkFailed as error:
    print(error)
"""


def test_a_write_cut_short_leaves_nothing(store: ImageStore) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", FILL_THE_DISK, str(store.folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1
    assert str(store.folder) in done.stdout
    assert [path.read_bytes() for path in files(store)] == [b"small"]


def test_a_full_disk_is_told(store: ImageStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(WorkFailed, match=r"disk of .* is full: free some space"):
        ImageStore(store.folder, durable=True).put(picture("one"))
    assert files(store) == []


def test_power_safe_images_are_synced(store: ImageStore, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    store.put(picture("one"))
    assert synced == []
    ImageStore(store.folder, durable=True).put(picture("two"))
    assert len(synced) == 2  # the file, then its folder


def test_sweeping_removes_what_a_killed_process_left(store: ImageStore) -> None:
    name = store.put(picture("one"))
    (store.path(name).parent / "abc.part").write_bytes(b"half")
    store.sweep()
    assert files(store) == [store.path(name)]
