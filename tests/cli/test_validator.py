"""From ratings to thresholds by the commands, on a run of stand-ins whose people agree with its validator."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.mining.test_loop import recipe
from triptych.cli.main import main
from triptych.mining.lanes import reached_validator
from triptych.mining.select import Triplet
from triptych.records import Rating
from triptych.runs import mine, open_run
from triptych.validator.ratings import AXES, write_ratings

GOAL = ["--precision", "0.8", "--confidence", "0.9"]
# The stand-ins' soft filter says yes to the same questions of whatever it passes.
WITHOUT = ["--without", "soft_filter.unasked_change", "--without", "soft_filter.pleasing"]
OPEN = {"soft_adherence": 1, "soft_aesthetics": 1, "soft_unasked_change": 1, "soft_pleasing": 0}


@pytest.fixture(scope="module")
def mined(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 360 attempts, all judged."""
    path = tmp_path_factory.mktemp("mined") / "run"
    roles = {"screen": {"pass_rate": 1.0}, "validator": {"pass_rate": 0.3}}
    mine(recipe(roles, scenes=30, sources_per_scene=2, edits_per_scene=2, attempts=3, rule=OPEN), path)
    return path


@pytest.fixture(scope="module")
def ratings(mined: Path) -> Path:
    """Three raters who see what the validator sees, each with a bias and some noise."""
    path = mined.parent / "ratings.csv"
    write_ratings(path, people(mined))
    return path


def people(run_path: Path) -> Iterator[Rating]:
    rng = np.random.default_rng(3)
    with open_run(run_path) as run:
        spec = run.plan.spec_id("validator")
        for pair in reached_validator(run.plan, run.slots):
            for bias, rater in ((-0.3, "ann"), (0.0, "bob"), (0.2, "cyd")):
                for axis in AXES:
                    seen = pair.verdicts[spec, axis].value
                    assert seen is not None
                    score = np.clip(seen + bias + rng.normal(0, 0.3), 1, 5)
                    yield Rating(pair.id, rater, axis, 0, round(float(score), 2))


@pytest.fixture(scope="module")
def calibration(mined: Path, ratings: Path) -> Path:
    path = mined.parent / "judge.json"
    assert main(["validator", "fit", str(ratings), "--run", str(mined), "--to", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def certified(mined: Path, ratings: Path, calibration: Path) -> Path:
    path = mined.parent / "judge-p80.json"
    command = ["validator", "threshold", *GOAL, str(ratings), "--run", str(mined)]
    assert main([*command, "--calibration", str(calibration), "--to", str(path)]) == 0
    return path


def told(capsys: pytest.CaptureFixture[str], *command: str | Path) -> dict[str, object]:
    capsys.readouterr()
    assert main([*map(str, command), "--json"]) == 0
    answer: dict[str, object] = json.loads(capsys.readouterr().out)
    return answer


def test_the_calibration_decides_and_follows_its_thresholds(
    mined: Path, calibration: Path, certified: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`status` under a calibration: P(accept) decides, no call is made, and the rule of the run is left."""
    plain = told(capsys, "status", mined)
    kept = [
        told(capsys, "status", mined, "--set", f"calibration={calibration}", "--set", f"accept={lowest}")
        for lowest in (0.0, 0.5, 0.9, 1.0)
    ]
    passed = [one["funnel"]["validator"] for one in kept]  # type: ignore[index]
    assert passed[0] == plain["funnel"]["low_level"]  # type: ignore[index]
    assert passed[0] > passed[1] >= passed[2] > passed[3] == 0
    assert all(one["cost"] == plain["cost"] for one in kept)
    with open_run(mined, [f"calibration={certified}"]) as run:
        lowest = json.loads(certified.read_bytes())["guarantee"]["groups"]["pooled"]["lowest"]
        view = run.view()
        assert view.triplets
        assert all(t.scores.accept is not None and t.scores.accept >= lowest for t in view.triplets)
        assert view.rejections["accept"] > 0


def test_the_selected_are_as_good_as_promised(
    mined: Path, ratings: Path, certified: Path, capsys: pytest.CaptureFixture[str], calibration: Path
) -> None:
    answer = told(
        capsys, "validator", "threshold", *GOAL, ratings, "--run", mined, "--calibration", calibration,
        "--to", mined.parent / "again.json",
    )  # fmt: skip
    groups: dict[str, dict[str, float]] = answer["groups"]  # type: ignore[assignment]
    assert all(bar["bound"] >= 0.8 for bar in groups.values() if bar["lowest"] is not None)
    counted = sum(share["n"] for share in answer["by_attempt"].values())  # type: ignore[attr-defined]
    assert counted == sum(share["n"] for share in answer["by_kind"].values()) > 0  # type: ignore[attr-defined]
    assert counted <= answer["selected"] <= answer["lanes"]  # type: ignore[operator]
    assert (mined.parent / "again.json").read_bytes() == certified.read_bytes()


def test_only_a_rated_editor_under_the_same_policy_is_promised_anything(
    mined: Path, certified: Path, calibration: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def claim(*settings: str) -> dict[str, object] | None:
        sets = [part for setting in settings for part in ("--set", setting)]
        found: dict[str, object] | None = told(capsys, "status", mined, *sets)["claim"]  # type: ignore[assignment]
        return found

    assert claim() is None
    assert claim(f"calibration={calibration}") is None
    held = claim(f"calibration={certified}")
    assert held is not None
    assert (held["precision"], held["confidence"], held["uncalibrated"]) == (0.8, 0.9, None)
    for other, why in (
        ("policy=until_accepted", "policy"),
        ("attempts=5", "attempts"),
        ("editor.settings.fail_share=0.1", "editor"),
        ("accept=0.4", "threshold"),
    ):
        found = claim(f"calibration={certified}", other)
        assert found is not None
        assert found["precision"] is None
        assert why in str(found["uncalibrated"])


def test_mining_goes_on_under_a_calibration(mined: Path, certified: Path, tmp_path: Path) -> None:
    """The recipe that is kept names the file, and further attempts are accepted by it alone."""
    shutil.copytree(mined, tmp_path / "run")
    roles = {"screen": {"pass_rate": 1.0}, "validator": {"pass_rate": 0.3}}
    rule = {"calibration": str(certified)} | OPEN
    more = recipe(roles, scenes=30, sources_per_scene=2, edits_per_scene=2, attempts=4, rule=rule)
    before = {triplet.attempt.id for triplet in selected_under(mined, certified)}
    mine(more, tmp_path / "run")
    lowest = json.loads(certified.read_bytes())["guarantee"]["groups"]["pooled"]["lowest"]
    with open_run(tmp_path / "run") as run:
        assert run.plan.recipe.rule.calibration == certified
        assert not run.owed()
        found = run.view().triplets
    assert len(found) >= len(before)
    assert {triplet.attempt.id for triplet in found} - before
    assert all(t.scores.accept is not None and t.scores.accept >= lowest for t in found)


def selected_under(path: Path, calibration: Path) -> list[Triplet]:
    with open_run(path, [f"calibration={calibration}"]) as run:
        return run.view().triplets


def test_the_report_has_every_figure_with_interval_and_baselines(
    mined: Path, ratings: Path, certified: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["validator", "report", str(ratings), "--run", str(mined), "--calibration", str(certified)]
    assert main([*common, "--to", str(tmp_path / "report")]) == 0
    files = {path.name for path in (tmp_path / "report").iterdir()}
    assert files == {"report.md", "report.json", "reliability.svg", "survival.svg", "precision_recall.svg"}
    figures = told(capsys, *common)
    assert figures == json.loads((tmp_path / "report" / "report.json").read_bytes())
    for axis in AXES:
        found = figures["axes"][axis]  # type: ignore[index]
        assert set(found["baselines"]) == {"best_single", "plain_mean", "constant"}
        low, high = found["spearman"]["ci"]
        assert low < found["spearman"]["value"] < high
        # The soft filter's scores are noise: the mean with it is worse than what knows so.
        assert found["mae"]["value"] < found["baselines"]["plain_mean"]["mae"]["value"]
        assert found["mae"]["value"] < found["baselines"]["constant"]["mae"]["value"]
    at = figures["accept"]["at_threshold"]  # type: ignore[index]
    assert at["precision"]["value"] >= 0.8
    assert at["precision"]["n"] > 0
    assert {"best_single", "plain_mean", "majority"} == set(figures["accept"]["baselines"])  # type: ignore[index]
    page = (tmp_path / "report" / "report.md").read_text()
    assert f"{figures['n']['pairs']:,} held-out rated pairs" in page  # type: ignore[index]


# ---- bad input -------------------------------------------------------------------------------------------


def refused(capsys: pytest.CaptureFixture[str], *command: str | Path) -> str:
    capsys.readouterr()
    assert main([*map(str, command)]) in (1, 2)
    said = capsys.readouterr().err
    assert said.startswith("triptych: ")
    assert said.count("\n") == 1
    return said


def test_what_cannot_be_fitted_is_told_in_a_line(
    mined: Path, ratings: Path, calibration: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ratings.read_text().splitlines(keepends=True)

    def fit(name: str, text: list[str], *more: str) -> str:
        file = tmp_path / f"{name}.csv"
        file.write_text("".join(text))
        to = tmp_path / f"{name}.json"
        said = refused(capsys, "validator", "fit", file, "--run", mined, "--to", to, *more)
        assert not to.exists()
        return said

    assert "are too few to calibrate on: rate at least 40" in fit("few", rows[:60])
    assert "with one rater" in fit("one", [row for row in rows if ",bob," not in row and ",cyd," not in row])
    assert "no pairs of" in fit("unknown", [*rows, "elsewhere,ann,adherence,4,,,\n"])
    item = rows[1].split(",")[0]
    assert "is not from 1 to 5" in fit("range", [*rows, f"{item},dan,adherence,7,,,\n"])
    assert "no signal is called 'beauty'" in fit("named", rows, "--without", "beauty")
    before = calibration.read_bytes()
    said = refused(capsys, "validator", "fit", ratings, "--run", mined, "--to", calibration)
    assert "exists; give another name" in said
    assert calibration.read_bytes() == before
    assert "has no ratings" in refused(capsys, "validator", "fit", "--run", mined)


def test_thresholds_that_cannot_be_had_say_what_it_takes(
    mined: Path, ratings: Path, calibration: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["validator", "threshold", "--run", mined, "--calibration", calibration, "--to", tmp_path / "t"]
    strict = ["--precision", "0.999", "--confidence", "0.99"]
    said = refused(capsys, *common, *strict, ratings)
    assert "at least 4603 are needed" in said
    said = refused(capsys, *common, "--precision", "1.5", ratings)
    assert "between 0 and 1" in said
    assert not (tmp_path / "t").exists()


def test_a_calibration_of_another_judge_is_refused(
    mined: Path, ratings: Path, calibration: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = "validator.settings.pass_rate=0.1"
    said = refused(capsys, "status", mined, "--set", f"calibration={calibration}", "--set", other)
    assert "another revision of what gives validator.adherence" in said
    assert "no calibration at" in refused(capsys, "status", mined, "--set", "calibration=nowhere.json")
    assert "name its file in calibration" in refused(capsys, "status", mined, "--set", "accept=0.5")


# ---- health ----------------------------------------------------------------------------------------------


def test_a_judge_that_does_not_look_is_refused_with_the_numbers_unless_forced(
    tmp_path: Path, ratings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Stand-ins accept by chance, whatever they are shown; one that accepts nothing is sound."""
    roles = {"screen": {"pass_rate": 1.0}, "validator": {"pass_rate": 0.7, "unscored_share": 0.2}}
    rule = {"threshold": 4.5} | OPEN
    mine(recipe(roles, scenes=6, attempts=2, rule=rule), tmp_path / "run")
    command = ["validator", "health", "--run", tmp_path / "run"]
    said = refused(capsys, *command)
    assert "scores pairs high that nobody could accept (share accepted): source as edit" in said
    assert "blank" in said
    figures = told(capsys, *command, "--force")
    kinds: dict[str, dict[str, float]] = figures["sanity"]  # type: ignore[assignment]
    assert set(kinds) == {"source_as_edit", "shuffled_instruction", "other_source", "blank", "black"}
    judge = figures["judges"]["validator"]  # type: ignore[index]
    assert judge["unscored"].keys() == {"unparsable"}
    assert judge["unscored_share"] == pytest.approx(0.2, abs=0.15)
    fit = ["validator", "fit", ratings, "--run", tmp_path / "run"]
    assert "nobody could accept" in refused(capsys, *fit)
    assert "no pairs of" in refused(capsys, *fit, "--force")  # it goes on, to ratings of another run

    roles["validator"] = {"pass_rate": 0.0}
    mine(recipe(roles, scenes=6, attempts=2, rule=rule), tmp_path / "sound")
    assert told(capsys, "validator", "health", "--run", tmp_path / "sound")["refused"] is None


def test_an_audit_scores_by_a_calibration(
    mined: Path, calibration: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told(capsys, "export", mined, "--to", tmp_path / "data", "--no-mark", "--json")
    command = ["audit", mined, tmp_path / "data", "--out", tmp_path / "audits", "--json"]
    raw = told(capsys, *command)
    scored = told(capsys, *command, "--validator", calibration)
    data, run = scored["data"], scored[mined.name]
    assert data["n"] == run["n"] > 0  # type: ignore[index]
    assert data["geometric"] == run["geometric"]  # type: ignore[index]
    assert data["geometric"] != raw["data"]["geometric"]  # type: ignore[index]
    lonely = ["audit", tmp_path / "data", "--validator", calibration, "--out", tmp_path / "audits"]
    assert "put it into that run's folder" in refused(capsys, *lonely)
