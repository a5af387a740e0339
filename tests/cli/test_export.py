"""`triptych export` as a user runs it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import environment, one_line
from triptych.cli.main import main
from triptych.datasets.layouts import FORMATS

Command = Callable[..., "Result"]


@dataclass
class Result:
    """What a command said, and its exit code."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def triptych(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs the command in this process, in an empty folder: no second is spent on starting Python."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Result:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return Result(code, said.out, said.err)

    return run


def mined(folder: Path, out: str, **changes: object) -> Path:
    """A run on stand-ins."""
    judge = {"backend": "tests.mining.standins:StandinJudge", "settings": {"pass_rate": 0.7}}
    standins = {
        name: f"tests.mining.standins:Standin{name.title()}" for name in ("writer", "painter", "editor")
    }
    sizes = {"scenes": 3, "sources_per_scene": 2, "edits_per_scene": 3, "attempts": 2, "megapixels": 0.02}
    judges = dict.fromkeys(("screen", "soft_filter", "validator"), judge)
    recipe = folder / f"{out}.yaml"
    recipe.write_text(yaml.safe_dump({"name": "small", **sizes, **standins, **judges, **changes}))
    command = [sys.executable, "-m", "triptych.cli.main", "mine", str(recipe), "--out", str(folder / out)]
    subprocess.run(command, env=environment(), check=True, capture_output=True, timeout=120)
    return folder / out


@pytest.fixture(scope="module")
def mined_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run that tests only read."""
    return mined(tmp_path_factory.mktemp("mined"), "small")


@pytest.fixture
def run(mined_once: Path, tmp_path: Path) -> str:
    """The same, where each test runs."""
    shutil.copytree(mined_once, tmp_path / "runs/small")
    return "runs/small"


def rows_of(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "metadata.jsonl").read_text("utf-8").splitlines()]


def test_it_says_that_it_read_back_what_it_wrote(triptych: Command, run: str, tmp_path: Path) -> None:
    result = triptych("export", run, "--to", "out")
    assert result.returncode == 0, result.stderr
    assert "read back: all " in result.stdout
    told = json.loads(triptych("export", run, "--to", "again", "--json").stdout)
    assert told["read_back"]
    assert told["triplets"] == len(rows_of(tmp_path / "again"))


def test_the_card_tells_the_funnel_to_its_end(triptych: Command, tmp_path: Path) -> None:
    folder = mined(tmp_path, "multiplied", multiply={"inverse": True})
    kinds = json.loads(triptych("status", folder, "--json").stdout)["kinds"]
    assert kinds["inverse"]["kept"]
    triptych("export", folder, "--to", "out")
    card = (tmp_path / "out/README.md").read_text("utf-8")
    kept = {kind: counts["kept"] for kind, counts in kinds.items()}
    assert f"| consistent backward | {kept['forward']} |" in card
    assert f"| inverse kept | {kept['inverse']} |\n| triplets | {sum(kept.values())} |" in card


def test_pictures_are_marked_unless_told_otherwise(triptych: Command, run: str, tmp_path: Path) -> None:
    triptych("export", run, "--to", "marked")
    triptych("export", run, "--to", "plain", "--no-mark")
    for name, wanted in (("marked", True), ("plain", False)):
        pictures = list((tmp_path / name / "images").rglob("*.jpg"))
        assert pictures
        assert all((b"trainedAlgorithmicMedia" in path.read_bytes()) == wanted for path in pictures)
    plain = {path.name: path.read_bytes() for path in (tmp_path / "plain/images").rglob("*.jpg")}
    stored = {path.name: path.read_bytes() for path in (tmp_path / run / "images").rglob("*.jpg")}
    assert plain.items() <= stored.items()


def test_runs_are_merged_by_id(triptych: Command, run: str, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "one")
    mined(tmp_path, "more", scenes=5)  # the same three scenes, and two others
    mined(tmp_path, "other", name="other", seed=9)
    ids = {}
    for name in ("one", "more", "other"):
        triptych("export", name, "--to", f"{name}-out")
        ids[name] = {str(row["sample_id"]) for row in rows_of(tmp_path / f"{name}-out")}
    assert ids["one"] & ids["more"]
    result = triptych("export", "one", "more", "other", "--to", "all")
    assert result.returncode == 0, result.stderr
    repeated = len(ids["one"] & ids["more"]) + len(ids["other"] & (ids["one"] | ids["more"]))
    assert f"runs merged: 3; {repeated} triplets were in more than one" in result.stdout
    assert {row["sample_id"] for row in rows_of(tmp_path / "all")} == set.union(*ids.values())
    card = (tmp_path / "all/README.md").read_text("utf-8")
    assert "| runs merged | 3;" in card
    assert "| stage | small | small | other |" in card


def test_conditions_caps_and_limits_narrow_what_is_written(
    triptych: Command, run: str, tmp_path: Path
) -> None:
    triptych("export", run, "--to", "all")
    every = rows_of(tmp_path / "all")
    category = str(every[0]["category"])
    result = triptych("export", run, "--to", "some", "--where", f"category={category}")
    wanted = [row["sample_id"] for row in every if row["category"] == category]
    assert [row["sample_id"] for row in rows_of(tmp_path / "some")] == wanted
    assert f"only category={category}: {len(wanted)} of {len(every)} kept" in result.stdout
    triptych("export", run, "--to", "three", "--limit", "3")
    assert [row["sample_id"] for row in rows_of(tmp_path / "three")] == [r["sample_id"] for r in every[:3]]
    triptych("export", run, "--to", "capped", "--cap-per-source", "1")
    sources = [row["source_file_name"] for row in rows_of(tmp_path / "capped")]
    assert len(sources) == len(set(sources)) == len({row["source_file_name"] for row in every})


def test_pictures_of_a_benchmark_are_left_out_and_counted(
    triptych: Command, run: str, tmp_path: Path
) -> None:
    triptych("export", run, "--to", "all")
    every = rows_of(tmp_path / "all")
    (tmp_path / "benchmark").mkdir()
    shutil.copy(tmp_path / "all" / str(every[0]["edited_file_name"]), tmp_path / "benchmark/x.jpg")
    result = triptych("export", run, "--to", "clean", "--decontaminate", "benchmark")
    assert result.returncode == 0, result.stderr
    kept = {row["sample_id"] for row in rows_of(tmp_path / "clean")}
    assert every[0]["sample_id"] not in kept
    card = (tmp_path / "clean/README.md").read_text("utf-8")
    assert f"{len(every) - len(kept)} triplets removed; 1 pictures compared" in card
    assert str(tmp_path) not in card


def test_splits_are_folders_and_share_no_picture(triptych: Command, run: str, tmp_path: Path) -> None:
    result = triptych("export", run, "--to", "out", "--split", "train=0.6,test=0.4", "--split-seed", "1")
    assert result.returncode == 0, result.stderr
    pictures = [
        {
            str(row[f"{side}_file_name"])
            for row in rows_of(tmp_path / "out" / part)
            for side in ("source", "edited")
        }
        for part in ("train", "test")
    ]
    assert all(pictures)
    assert not pictures[0] & pictures[1]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--format", "huggingface"), "no format is called 'huggingface'"),
        (("--format", "webdatset"), "did you mean 'webdataset'?"),
        (("--where", "categry=add"), "did you mean 'category'?"),
        (("--where", "category=no_such"), "leaves nothing; there is category: "),
        (("--split", "train"), "write it like train=0.9,test=0.1"),
        (("--decontaminate", "nowhere"), "no readable picture or instruction there"),
        (("--set", "threshold=5"), "no selected triplet under this rule"),
        (("--to", 300 * "a"), "can't be used (File name too long)"),
    ],
)
def test_bad_input_is_told_in_a_line_and_leaves_nothing(
    triptych: Command, run: str, tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    before = set(tmp_path.iterdir())
    assert told in one_line(triptych("export", run, "--to", "out", *arguments), 2)
    assert set(tmp_path.iterdir()) == before


def test_a_target_that_exists_is_left_alone(triptych: Command, run: str, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("all my work")
    assert "isn't empty" in one_line(triptych("export", run, "--to", "out"), 2)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.tex"]
    assert not list(tmp_path.glob(".out*"))


def test_a_target_that_cannot_be_written(triptych: Command, run: str, tmp_path: Path) -> None:
    (tmp_path / "sealed").mkdir(mode=0o500)
    command = [sys.executable, "-m", "triptych.cli.main", "export", run, "--to", "sealed/out"]
    if os.geteuid() == 0:  # root writes anywhere, unless it gives that right up
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            pytest.skip("root writes anywhere, and there is no setpriv to give that right up")
        command = [setpriv, "--bounding-set=-dac_override", "--inh-caps=-dac_override", *command]
    result = subprocess.run(
        command, cwd=tmp_path, env=environment(), text=True, capture_output=True, check=False
    )
    assert "can't be written (Permission denied)" in one_line(result, 1)
    assert not list((tmp_path / "sealed").iterdir())


def test_a_full_disk_is_told_and_the_export_goes_on_when_there_is_room(
    triptych: Command, run: str, tmp_path: Path
) -> None:
    full = tmp_path / "small-disk"
    full.mkdir()
    if os.geteuid() != 0 or os.system(f"mount -t tmpfs -o size=40k none {full} 2>/dev/null") != 0:
        pytest.skip("can't mount a small disk here")
    try:
        line = one_line(triptych("export", run, "--to", full / "out"), 1)
        assert "No space left" in line
        assert not list(full.iterdir())
        os.system(f"mount -o remount,size=60m {full}")
        assert triptych("export", run, "--to", full / "out").returncode == 0
        assert (full / "out" / "README.md").is_file()
    finally:
        os.system(f"umount {full}")


def test_without_pyarrow_the_command_to_install_it_is_given(
    triptych: Command, run: str, tmp_path: Path
) -> None:
    (tmp_path / "pyarrow").mkdir()
    (tmp_path / "pyarrow/__init__.py").write_text("raise ImportError('not here')")
    shadow = environment()
    shadow["PYTHONPATH"] = f"{tmp_path}:{shadow['PYTHONPATH']}:{os.environ.get('PYTHONPATH', '')}"
    command = [sys.executable, "-m", "triptych.cli.main", "export", run, "--format", "hf", "--to", "out"]
    result = subprocess.run(command, cwd=tmp_path, env=shadow, text=True, capture_output=True, check=False)
    assert "pip install 'triptych[parquet]'" in one_line(result, 2)
    assert not (tmp_path / "out").exists()


def test_a_model_whose_outputs_may_not_train_asks_for_a_word(triptych: Command, tmp_path: Path) -> None:
    mined(tmp_path, "runs", editor="tests.datasets.flux1_kontext_dev:Editor")
    line = one_line(triptych("export", "runs", "--to", "out"), 2)
    assert "may not train a competing model" in line
    assert "--acknowledge-licence" in line
    result = triptych("export", "runs", "--to", "out", "--acknowledge-licence", "--licence", "other")
    assert result.returncode == 0, result.stderr
    card = (tmp_path / "out/README.md").read_text("utf-8")
    assert "license: other" in card
    assert "may not train a competing model" in card


def test_every_format_is_documented() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/exports.md").read_text("utf-8")
    listed = {line.split("`")[1] for line in page.splitlines() if line.startswith("| `")}
    assert set(FORMATS) <= listed
