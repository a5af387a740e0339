"""The benchmarks of local models say what they did, or why they didn't."""

from __future__ import annotations

import json

import pytest

from benchmarks import gpu, phased


def test_without_a_gpu_nothing_is_measured_and_the_reason_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    reason = gpu.no_gpu()
    if reason is None:
        pytest.skip("this machine has a GPU")
    gpu.main([])
    assert capsys.readouterr().out.strip() == reason
    assert "sees no GPU here" in reason
    gpu.main(["--json"])
    assert json.loads(capsys.readouterr().out) == {"device": None, "reason": reason}


@pytest.mark.slow
def test_turns_change_no_triplet_and_load_seldom(capsys: pytest.CaptureFixture[str]) -> None:
    phased.main(["--json", "--scenes", "20", "--speed", "400"])
    figures = json.loads(capsys.readouterr().out)
    assert figures["same"]
    assert figures["triplets"]
    assert 2 < figures["loads"] < 20
