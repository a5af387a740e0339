from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from triptych.benchmarks import calibrated
from triptych.benchmarks.agreement import Agreement, agreement
from triptych.benchmarks.calibrated import calibrated_predictions, signal_table
from triptych.benchmarks.imagenhub import RatedImage, read_imagenhub
from triptych.errors import UserError

REPOSITORY = Path(__file__).resolve().parents[2]
RATINGS = REPOSITORY.parent / "shared" / "data" / "ratings" / "imagenhub.jsonl"
needs_ratings = pytest.mark.skipif(not RATINGS.exists(), reason=f"the real ratings aren't at {RATINGS}")
PUBLISHED = {
    "human": (0.4230, 0.5053, 0.4184),
    "gpt4o_0shot": (0.4062, 0.4863, 0.3821),
    "gemini_0shot": (0.2836, 0.4291, 0.2728),
}
# VIEScore's own notebook prints these for Gemini.
PUBLISHED_MASK_GUIDED = {"gemini_0shot": (0.4304, 0.2839, 0.3593)}


@pytest.fixture(scope="module")
def real() -> dict[str, dict[str, Agreement]]:
    images = [
        image for image in read_imagenhub(RATINGS) if image.task in ("Text-Guided_IE", "Mask-Guided_IE")
    ]
    return agreement(images, resamples=300, calibrate=False)


@needs_ratings
@pytest.mark.parametrize("judge", PUBLISHED)
def test_published_figures_of_text_guided_editing(real: dict[str, dict[str, Agreement]], judge: str) -> None:
    assert tuple(round(value, 4) for value in real["Text-Guided_IE"][judge].value) == PUBLISHED[judge]


@needs_ratings
def test_published_figures_of_mask_guided_editing(real: dict[str, dict[str, Agreement]]) -> None:
    for judge, published in PUBLISHED_MASK_GUIDED.items():
        assert tuple(round(value, 4) for value in real["Mask-Guided_IE"][judge].value) == published


@needs_ratings
def test_published_intervals_of_gpt4o(real: dict[str, dict[str, Agreement]]) -> None:
    found = real["Text-Guided_IE"]["gpt4o_0shot"]
    published = [(0.360, 0.452), (0.451, 0.518), (0.334, 0.425)]
    np.testing.assert_allclose(found.ci, published, atol=0.012)
    assert found.n == 8 * 179


@needs_ratings
def test_the_page_shows_what_the_ratings_give(real: dict[str, dict[str, Agreement]]) -> None:
    page = (REPOSITORY / "docs" / "agreement.md").read_text(encoding="utf-8")
    for task, judges in real.items():
        section = page.split(f"## {task}\n")[1].split("\n## ")[0]
        for judge, one in judges.items():
            row = next(line for line in section.splitlines() if line.startswith(f"| {judge} |"))
            shown = [cell.split(" [")[0].strip() for cell in row.split("|")[2:]]
            expected = [f"{value:.4f}" if np.isfinite(value) else "undefined" for value in one.value]
            assert shown[:4] == [*expected, f"{one.n:,}"]


@needs_ratings
@pytest.mark.slow
def test_calibration_on_real_people_beats_the_best_single_judge() -> None:
    images = [image for image in read_imagenhub(RATINGS) if image.task == "Text-Guided_IE"]
    found = agreement(images, resamples=300)["Text-Guided_IE"]
    for name in ("calibrated", "calibrated_unseen_editor"):
        gains = found[name].above(found["gpt4o_0shot"])
        assert all(gain > 0 for gain, _, _ in gains)


def made(
    editors: Sequence[str] = ("E1", "E2", "E3"), uids: int = 40, noise: float = 0.15, seed: int = 0
) -> list[dict[str, object]]:
    """Rows in the file's form: one judge that knows, one that guesses, one that mostly fails to answer."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, object]] = []
    for editor in editors:
        for uid in range(uids):
            quality = rng.random(2)
            people = np.round(2 * np.clip(quality[:, None] + rng.normal(0, noise, (2, 3)), 0, 1)) / 2
            knows = np.clip(np.round(10 * quality + rng.normal(0, 1, 2)), 0, 10)
            guesses = rng.integers(0, 11, 2)
            judges: dict[str, object] = {
                "gpt_knows": {"SC": [int(knows[0]), 10], "PQ": [int(knows[1]), 10]},
                "guesses": {"SC": [int(guesses[0])], "PQ": [int(guesses[1])]},
                "autometrics": {"LPIPS": float(rng.random())},
            }
            if uid % 4 == 0:
                judges["fails"] = {"SC": [int(knows[0])], "PQ": "I can't say" if uid % 8 else [int(knows[1])]}
            rows.append(
                {
                    "task": "Text-Guided_IE",
                    "model": editor,
                    "uid": f"u{uid}",
                    "instruction": "add a hat",
                    "human_sc": people[0].tolist(),
                    "human_pq": people[1].tolist(),
                    "judges": judges,
                }
            )
    return rows


@pytest.fixture
def written(tmp_path: Path) -> Callable[[list[dict[str, object]]], Path]:
    def write(rows: list[dict[str, object]]) -> Path:
        path = tmp_path / "ratings.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    return write


Written = Callable[[list[dict[str, object]]], Path]


def test_the_estimator_by_scipy(written: Written) -> None:
    images = read_imagenhub(written(made()))
    found = agreement(images, resamples=50, calibrate=False)["Text-Guided_IE"]["gpt_knows"]
    for at, scale in enumerate(("SC", "PQ", "O")):
        correlations = []
        for editor in ("E1", "E2", "E3"):
            mine = [image for image in images if image.editor == editor]
            said = [image.judges["gpt_knows"].score(scale) for image in mine]  # type: ignore[arg-type]
            human = [np.mean(image.human(scale)) for image in mine]  # type: ignore[arg-type]
            correlations.append(stats.spearmanr(said, human).statistic)
        assert found.value[at] == pytest.approx(math.tanh(np.mean(correlations)))
    assert found.n == 120


def test_a_missing_answer_is_missing_and_never_0(written: Written) -> None:
    found = agreement(read_imagenhub(written(made())), resamples=20, calibrate=False)["Text-Guided_IE"]
    assert found["fails"].n == 3 * 5  # of 40 uids, every eighth answers both scales
    # what it does answer is the truth with noise: counting failures as 0 would drown it
    assert found["fails"].value[0] > 0.5


@pytest.mark.parametrize("value", [None, [], "none", ["x", "y"], [80], [-1]])
def test_answers_that_are_none(written: Written, value: object) -> None:
    rows = made(uids=3)
    rows[0]["judges"] = {"gpt_knows": {"SC": value, "PQ": [5, 5]}}
    answer = read_imagenhub(written(rows))[0].judges["gpt_knows"]
    assert answer.sc == ()
    assert answer.score("PQ") is None


def test_editors_that_no_judge_was_run_on_are_left_out(written: Written) -> None:
    rows = made()
    unjudged = [{**row, "model": "Unjudged", "judges": {}} for row in rows if row["model"] == "E1"]
    with_them = agreement(read_imagenhub(written(rows + unjudged)), resamples=20, calibrate=False)
    without = agreement(read_imagenhub(written(rows)), resamples=20, calibrate=False)
    assert with_them == without


def test_a_constant_judge_is_undefined_not_0(written: Written) -> None:
    rows = made(uids=5)
    for row in rows:
        row["judges"] = {"always": {"SC": [5, 5], "PQ": [5, 5]}}
    told = agreement(read_imagenhub(written(rows)), resamples=20, calibrate=False)["Text-Guided_IE"]["always"]
    assert told.as_json()["value"] == [None, None, None]


def test_calibrated_is_better_than_its_noisy_parts(written: Written) -> None:
    images = read_imagenhub(written(made(uids=60, noise=0.3)))
    found = agreement(images, resamples=50)["Text-Guided_IE"]
    for name in ("calibrated", "calibrated_unseen_editor"):
        assert found[name].n == 180
        assert min(found[name].value) > 0.45
        assert found[name].value[0] > found["gpt_knows"].value[0] - 0.03
        assert found[name].as_json()["configurations_tried"] == 12


def blinded(images: list[RatedImage], hidden: Callable[[RatedImage], bool]) -> list[RatedImage]:
    """The same images, with the people's scores of the hidden ones turned round."""
    turned = []
    for image in images:
        sc = tuple(1 - score for score in image.human_sc) if hidden(image) else image.human_sc
        pq = tuple(1 - score for score in image.human_pq) if hidden(image) else image.human_pq
        turned.append(
            RatedImage(image.task, image.editor, image.uid, sc, pq, image.judges, image.measurements)
        )
    return turned


def test_no_prediction_depends_on_ratings_of_its_own_uid_or_unseen_editor(written: Written) -> None:
    images = read_imagenhub(written(made(uids=12)))
    before = calibrated_predictions(images)
    its_uid = calibrated_predictions(blinded(images, lambda image: image.uid == "u3"))
    its_editor = calibrated_predictions(blinded(images, lambda image: image.editor == "E2"))
    of_uid = np.array([image.uid == "u3" for image in images])
    of_editor = np.array([image.editor == "E2" for image in images])
    for name in before:
        np.testing.assert_array_equal(before[name].scores[:, of_uid], its_uid[name].scores[:, of_uid])
        assert not np.array_equal(before[name].scores[:, ~of_uid], its_uid[name].scores[:, ~of_uid])
    unseen = calibrated.UNSEEN_EDITOR
    np.testing.assert_array_equal(
        before[unseen].scores[:, of_editor], its_editor[unseen].scores[:, of_editor]
    )
    seen = calibrated.CALIBRATED
    assert not np.array_equal(before[seen].scores[:, of_editor], its_editor[seen].scores[:, of_editor])


def test_signals_name_every_judge_scale_and_measurement(written: Written) -> None:
    table = signal_table(read_imagenhub(written(made())))
    names = {column.name for column in table.columns}
    assert {"gpt_knows.SC", "gpt_knows.SC.1", "gpt_knows.SC.2", "guesses.PQ", "autometrics.LPIPS"} <= names
    assert "guesses.SC.2" not in names  # it never gave a second sub-score
    assert all(column.spec_id for column in table.columns)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"human_sc": [0, 1]}, "line 2: [0, 1] isn't the scores of 3 raters"),
        ({"human_pq": [0, 1, 2]}, "line 2: human scores [0, 1, 2] are not from 0 to 1"),
        ({"judges": []}, "line 2: judges is no mapping"),
        ({"uid": "u0", "model": "E1"}, "line 2: E1 on u0 again, as in line 1"),
    ],
)
def test_a_bad_row_is_named_by_its_line(written: Written, change: dict[str, object], said: str) -> None:
    rows = made(uids=3)
    rows[1] = rows[1] | change
    with pytest.raises(UserError) as caught:
        read_imagenhub(written(rows))
    assert said in str(caught.value)


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "triptych.cli.main", "bench", *map(str, arguments)]
    return subprocess.run(line, text=True, capture_output=True, check=False, timeout=300)


def test_the_command_prints_what_a_program_reads(written: Written) -> None:
    path = written(made(uids=15))
    result = command("agreement", path, "--json")
    assert result.returncode == 0, result.stderr
    told = json.loads(result.stdout)
    assert list(told) == ["Text-Guided_IE"]
    judges = told["Text-Guided_IE"]
    assert set(judges) == {"human", "gpt_knows", "guesses", "fails", "calibrated", "calibrated_unseen_editor"}
    for one in judges.values():
        assert {"value", "ci", "n"} <= set(one)
        assert len(one["value"]) == len(one["ci"]) == 3
        assert all(low <= high for low, high in one["ci"] if low is not None)
    assert "calibrated" in command("agreement", path).stdout


@pytest.mark.parametrize("text", [None, "", "{", '{"task": "t"}'])
def test_a_file_that_is_no_ratings_is_one_line(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "ratings.jsonl"
    if text is not None:
        path.write_text(text)
    result = command("agreement", path)
    assert result.returncode == 2
    assert result.stderr.startswith("triptych: ")
    assert result.stderr.count("\n") == 1


def test_help_has_an_example() -> None:
    assert "example: triptych bench agreement" in command("agreement", "--help").stdout
    assert "agreement" in command("--help").stdout
