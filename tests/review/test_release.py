"""An export asks what people found: the card carries it, and below the precision required there is none."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.cli.conftest import one_line, triptych
from tests.review.test_index import table_of
from triptych.ledger.run import RunFolder
from triptych.review.audit import SpotCheckView
from triptych.review.people import People

__all__ = ["triptych"]  # a fixture
Triptych = Callable[..., "subprocess.CompletedProcess[str]"]


def looked_at(run: Path, flaws: Sequence[str], planned: int) -> None:
    table = table_of(run)
    with RunFolder(run).open_ledger() as ledger:
        people = People(ledger)
        order = SpotCheckView(table, people, planned).order
        for pair, flaw in zip(order, flaws, strict=False):
            people.find("ann", pair, flaw, planned)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("flaws", "planned", "said"),
    [
        ([], 0, "nobody has looked yet"),
        (["none"] * 20 + ["light"] * 10, 30, "20 of 30 good; at least"),
        (["none"] * 10, 30, "unfinished, 30 were planned"),
    ],
)
def test_an_export_is_refused_below_the_precision_required(
    triptych: Triptych, run: Path, tmp_path: Path, flaws: list[str], planned: int, said: str
) -> None:
    looked_at(run, flaws, planned)
    refused = triptych("export", run, "--to", tmp_path / "data", "--require-precision", "0.8")
    assert said in one_line(refused, 2)
    assert not (tmp_path / "data").exists()


def test_an_export_that_people_found_good_says_so_on_its_card(
    triptych: Triptych, run: Path, tmp_path: Path
) -> None:
    looked_at(run, ["none"] * 39 + ["region"], 40)
    done = triptych("export", run, "--to", tmp_path / "data", "--require-precision", "0.85")
    assert done.returncode == 0, done.stderr
    card = (tmp_path / "data" / "README.md").read_text()
    assert "39 of 40 good; at least 88." in card
    assert "Clopper–Pearson" in card
    wider = triptych(
        "export", run, "--set", "backward=3", "--to", tmp_path / "other", "--require-precision", "0.85"
    )
    assert wider.returncode == 2  # of what the wider selection adds, nobody has looked at its sample
    assert "unfinished" in wider.stderr
