"""What the miner itself costs: slots kept busy, processor time, a ledger that grows, resuming, `status`.

    python benchmarks/overhead.py [--json] [--attempts 10000] [--ledger 20000] [--slots 64] [--pairs 60]

`busy`                  editor calls × latency over slots × time, between a fifth and four fifths of the run
`wall_over_ideal`       the whole of a run (first scene to last verdict) over editor calls × latency ÷ slots
`cpu_ms_per_attempt`    processor time of that run, all threads, over editor calls: ledger and scheduling only
`pixels_over_codec_floor`  as in benchmarks/loop.py
`growth_1m_over_1k`     processor time of 1,000 more attempts on a ledger of `--ledger` attempts over the same
                        on a ledger of 1,000. The names of this and the next two stand for --ledger 1000000
`resume_s`              opening that ledger and laying out what is owed, without the look for lost pictures
`status_s`              `triptych status RUN --json` on it, the command's start among it
`peak_mb`               peak resident memory of the process that resumed it and mined on
`help_s`                `triptych --help`, the quickest of five

Roles are on paper (`benchmarks/paper_engine.py`): 50 ms pass, the facts they would leave are recorded, and no
picture is made. Every part runs in a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import multiprocessing
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import cv2

from benchmarks.loop import LATENCY, PASS_RATE, loop_recipe, measure_pixels
from benchmarks.paper_engine import PaperEngine
from triptych.ledger.queries import costs
from triptych.ledger.run import RunFolder
from triptych.ledger.writer import GroupCommitter
from triptych.mining.miner import Miner
from triptych.mining.opening import load_slots
from triptych.mining.schedule import Spending
from triptych.recipe import Recipe, dump_recipe
from triptych.wiring import plan_of, role_configs

MORE = 1_000  # attempts mined on top of a ledger, to see what one costs there


def mined(folder: Path, recipe: Recipe, slots: int, latency: float) -> dict[str, float]:
    """Mine what is owed on paper; what it took."""
    run = RunFolder.create(folder)
    run.recipe.write_text(dump_recipe(recipe))
    plan = plan_of(recipe, role_configs(recipe, folder))
    began = time.monotonic()
    with run.open_ledger() as ledger:
        ledger.record(plan.specs.values())
        states = load_slots(plan, ledger)
        resumed = time.monotonic() - began
        spending = Spending(recipe.budget, {r: c.calls for r, c in costs(ledger).items()}, 0.0)

        async def on_paper() -> tuple[PaperEngine, float, float]:
            async with GroupCommitter(ledger) as committer:
                engine = PaperEngine(plan, committer, slots, latency, PASS_RATE)
                miner = Miner(plan, states, engine, spending, lambda _: None)
                wall, cpu = time.monotonic(), time.process_time()
                await miner.mine()
                return engine, time.monotonic() - wall, time.process_time() - cpu

        gc.set_threshold(50_000, 20, 100)  # as `triptych.runs` sets it while it mines
        engine, wall, cpu = asyncio.run(on_paper())
    calls = engine.calls["editor"]
    ended = engine.edits_ended
    first, last = len(ended) // 5, 4 * len(ended) // 5
    return {
        "attempts": calls,
        "wall": wall,
        "cpu_ms": 1000 * cpu / max(calls, 1),
        "busy": (last - first) * latency / slots / max(ended[last] - ended[first], 1e-9) if ended else 0.0,
        "resume_s": resumed,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def apart(work: Callable[..., Any], *arguments: Any) -> Any:
    """What this gives in a process of its own, whose memory is its own."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(work, arguments)


def steady(attempts: int, slots: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        found = apart(mined, Path(folder) / "run", loop_recipe(attempts), slots, LATENCY)
    ideal = found["attempts"] * LATENCY / slots
    return {
        "busy": found["busy"],
        "wall_over_ideal": found["wall"] / ideal,
        "cpu_ms_per_attempt": found["cpu_ms"],
    }


def grown(attempts: int, slots: int) -> dict[str, float]:
    """A ledger of so many attempts, then a thousand more on it, resumed; and the same on a small one."""
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder) / "small", Path(folder) / "large"
        costs_more = []
        for run, size in ((small, MORE), (large, attempts)):
            recipe = loop_recipe(size)
            apart(mined, run, recipe, slots, 0.0)
            more = recipe.model_copy(update={"scenes": recipe.scenes + loop_recipe(MORE).scenes})
            found = apart(mined, run, more, slots, 0.0)
            costs_more.append(found["cpu_ms"])
        began = time.monotonic()
        command = [sys.executable, "-m", "triptych.cli.main", "status", str(large), "--json"]
        subprocess.run(command, check=True, capture_output=True)
        return {
            "growth_1m_over_1k": costs_more[1] / costs_more[0],
            "resume_s": found["resume_s"],
            "status_s": time.monotonic() - began,
            "peak_mb": found["peak_mb"],
        }


def help_seconds() -> float:
    def once() -> float:
        began = time.monotonic()
        command = [sys.executable, "-m", "triptych.cli.main", "--help"]
        subprocess.run(command, check=True, capture_output=True)
        return time.monotonic() - began

    return min(once() for _ in range(5))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--attempts", type=int, default=10_000)
    parser.add_argument("--ledger", type=int, default=20_000, help="attempts in the large ledger")
    parser.add_argument("--slots", type=int, default=64)
    parser.add_argument("--pairs", type=int, default=60, help="attempts whose pixel work is measured")
    chosen = parser.parse_args()
    cv2.setNumThreads(1)
    results = steady(chosen.attempts, chosen.slots)
    results["pixels_over_codec_floor"] = measure_pixels(chosen.pairs)
    results |= grown(chosen.ledger, chosen.slots)
    results["help_s"] = help_seconds()
    results = {name: round(value, 3) for name, value in results.items()}
    if chosen.json:
        print(json.dumps(results))
    else:
        for name, value in results.items():
            print(f"{name:26} {value}")


if __name__ == "__main__":
    main()
