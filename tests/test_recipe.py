"""What a recipe file says, and how its mistakes are told."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triptych.datasets.licences import licence_of
from triptych.errors import RecipeError
from triptych.recipe import Recipe, dump_recipe, load_recipe, parse_recipe
from triptych.wiring import plan_of, role_configs

BASE = {"name": "r", "scenes": 2, "writer": "w", "painter": "p", "screen": "s", "editor": "e"} | {
    "soft_filter": "f",
    "validator": "v",
}
TEXT = "\n".join(f"{key}: {value}" for key, value in BASE.items())
PHOTOS = "name: r\nwriter: w\neditor: e\nsoft_filter: f\nvalidator: v\nphotographs: {folder: %s}\n"


def parsed(text: str, *overrides: str, base: Path = Path("/recipes")) -> Recipe:
    return parse_recipe(text, overrides, origin="r.yaml", base=base)


@given(
    st.integers(0, 2**31),
    st.floats(1, 5),
    st.none() | st.floats(0, 1e9),
    st.dictionaries(st.sampled_from(["editor", "painter"]), st.integers(0, 10**6)),
)
def test_a_dumped_recipe_reads_back_equal_and_says_everything(
    seed: int, threshold: float, seconds: float | None, calls: dict[str, int]
) -> None:
    changes = {"seed": seed, "rule": {"threshold": threshold}}
    recipe = Recipe.model_validate(
        BASE
        | changes
        | {"budget": {"model_seconds": seconds, "calls": calls}, "brief": {"topics": ["snow: white"]}}
    )
    text = dump_recipe(recipe)
    assert parse_recipe(text, origin="dumped", base=Path()) == recipe
    assert all(f"\n{key}:" in f"\n{text}" for key in Recipe.model_fields)


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("seed=9223372036854775807", "2147483648"),
        ("budget.calls.editor=-1", "greater than or equal to 0"),
        ("budget.model_seconds=-0.5", "greater than or equal to 0"),
        ("budget.wall=.inf", "finite"),
        ("budget.wall=20min", "number"),
        ("budget.wall=-5", "greater than or equal to 0"),
        ("rule.shift=.inf", "finite"),
        ("threshold=.nan", "finite"),
        ("photographs={folder: x, largest_megapixels: .inf}", "finite"),
        ("attempts=yes", "should be a number, not yes or no"),
        ("megapixels=true", "should be a number, not yes or no"),
    ],
)
def test_a_value_out_of_bounds_is_told(override: str, told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        parsed(TEXT, override)


@pytest.mark.parametrize(
    ("given", "seconds"), [("20m", 1200), ("90s", 90), ("1.5h", 5400), ("2d", 172_800), ("45", 45)]
)
def test_wall_time_is_said_as_people_say_it(given: str, seconds: float) -> None:
    assert parsed(TEXT, f"budget.wall={given}").budget.wall == seconds


def test_the_recipe_for_any_use_names_no_model_that_binds() -> None:
    recipe = load_recipe(Path("apache-only"))
    licences = [licence_of(spec) for spec in plan_of(recipe, role_configs(recipe, Path())).specs.values()]
    assert [licence.name for licence in licences if licence] == ["Apache-2.0"] * 6


def test_a_key_given_twice_is_told_with_its_line() -> None:
    with pytest.raises(RecipeError, match=r"r.yaml, line 9: 'name' is given twice"):
        parsed(TEXT + "\nname: other")


def test_a_key_of_an_earlier_version_is_told_with_its_new_place() -> None:
    with pytest.raises(RecipeError, match=r"r.yaml: 'topics' has moved: write brief: {topics: "):
        parsed(TEXT + "\ntopics: []")


def test_a_folder_of_photographs_is_found_from_where_it_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/somebody")

    def folder(written: str, *overrides: str) -> Path:
        photographs = parsed(PHOTOS % written, *overrides).photographs
        assert photographs is not None
        return photographs.folder

    assert folder("pictures") == Path("/recipes/pictures")
    assert folder("~/pictures") == Path("/home/somebody/pictures")
    assert folder("pictures", "photographs.folder=mine") == tmp_path / "mine"
    assert folder("pictures", "photographs.folder=~/mine") == Path("/home/somebody/mine")
    assert folder("/pictures", "photographs.fit=pad") == Path("/pictures")


def test_a_recipe_that_ships_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_recipe(Path("quickstart")).name == "quickstart"


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).parents[1] / "recipes").glob("*.yaml")), ids=lambda p: p.stem
)
def test_every_recipe_that_ships_can_be_run_and_says_how(path: Path, tmp_path: Path) -> None:
    recipe = load_recipe(path)
    configs = role_configs(recipe, tmp_path)
    assert set(plan_of(recipe, configs).specs) >= {"writer", "soft_filter", "validator"}
    head = path.read_text(encoding="utf-8").splitlines()
    assert head[0].startswith(f"# triptych mine recipes/{path.name}")
    if any(config.backend.startswith("triptych.backends.studio") for config in configs.values()):
        return
    comment = "\n".join(line for line in head if line.startswith("#"))
    assert "Hardware" in comment
    assert "UNMEASURED" in comment or "measured on" in comment
