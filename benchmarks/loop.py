"""How much of a run is ours: the loop on roles of fixed latency, pixel work over codecs, the studio's speed.

    python benchmarks/loop.py [--json] [--attempts 2500] [--pairs 60] [--skip-studio]

`wall_over_ideal`       wall time of the whole of `mine` (a new run folder, scenes written, painted, screened,
                        every attempt edited, filtered, validated, the last lanes running dry) over editor
                        calls × latency ÷ editor slots: as if the editor were never idle from first to last
`cpu_ms_per_attempt`    processor time of the whole process meanwhile, all threads, over editor calls: each is
                        three calls, their facts, one tiny plain JPEG stored, decoded and checked
`pixels_over_codec_floor`  processor time of the pixel work of a source's attempts at 1024², 0.63 MB (source
                        read, edits encoded, stored, decoded, hashed, every check) over the codec alone: the
                        source decoded once, every edit encoded and decoded once; in one run, medians
`peak_mb`               peak resident memory of the process that ran the loop
`paint_s` `edit_s` `judge_s`  the studio at 1024², one core, medians
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import cv2
import simplejpeg

from benchmarks.standins import marked, textured
from triptych.ledger.images import ImageStore
from triptych.ledger.queries import costs
from triptych.ledger.run import RunFolder
from triptych.mining.jobs import EditJob
from triptych.mining.perform import Bench, in_place, perform
from triptych.pixels.picture import Picture
from triptych.recipe import Recipe
from triptych.records import RoleName, Spec
from triptych.roles import EditRequest
from triptych.runs import mine

SLOTS = 32
LATENCY = 0.05
PASS_RATE = 0.35
EDITS = 25
ATTEMPTS_A_SOURCE = 10  # whose pixels are measured; a recipe's defaults give up to 25
ATTEMPTS_A_LANE = 2.5  # about what a pass rate of .35 and at most five attempts give


def loop_recipe(attempts: int) -> Recipe:
    """As many scenes as give about this many attempts."""

    def role(name: str, pass_rate: float = 1.0) -> dict[str, Any]:
        settings = {"latency": LATENCY, "pass_rate": pass_rate}
        return {"backend": f"benchmarks.standins:{name}", "settings": settings, "workers": SLOTS}

    return Recipe.model_validate(
        {
            "name": "loop",
            "scenes": max(1, round(attempts / (2 * EDITS * ATTEMPTS_A_LANE))),
            "sources_per_scene": 2,
            "edits_per_scene": EDITS,
            "attempts": 5,
            "megapixels": 0.02,
            "policy": "until_accepted",
            "writer": role("FixedWriter"),
            "painter": role("FixedPainter"),
            "screen": role("FixedJudge"),
            "editor": role("FixedEditor"),
            "soft_filter": role("FixedJudge"),
            "validator": role("FixedJudge", PASS_RATE),
        }
    )


def _loop(attempts: int, results: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        began, cpu_began = time.monotonic(), time.process_time()
        mine(loop_recipe(attempts), Path(folder) / "run")
        wall, cpu = time.monotonic() - began, time.process_time() - cpu_began
        with RunFolder(Path(folder) / "run").open_ledger(read_only=True) as ledger:
            calls = costs(ledger)["editor"].calls
    results.put(
        {
            "attempts": calls,
            "wall_over_ideal": round(wall / (calls * LATENCY / SLOTS), 3),
            "cpu_ms_per_attempt": round(1000 * cpu / calls, 3),
            "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        }
    )


def measure_loop(attempts: int) -> dict[str, float]:
    """In a process of its own, so that its memory is its own."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    process = context.Process(target=_loop, args=(attempts, results))
    process.start()
    measured: dict[str, float] = results.get()
    process.join()
    return measured


class _Instant:
    """An editor whose answer is ready, so that only what follows it is timed."""

    def __init__(self) -> None:
        self.answer: Picture | None = None
        self._spec = Spec("editor", "benchmarks", "1", {})

    def backend(self, _: RoleName) -> _Instant:
        return self

    def spec(self, _: RoleName) -> Spec:
        return self._spec

    def price(self, _: RoleName) -> None:
        return None

    seconds = price

    async def edit(self, _: list[EditRequest]) -> list[Picture | None]:
        return [self.answer]


def measure_pixels(attempts: int) -> float:
    """Ratio of the pixel work of about so many attempts to its codec floor; the median source."""
    edit = textured(1024, 1024)
    ratios = []
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        images = ImageStore(Path(folder))
        editor = _Instant()
        bench = Bench(editor, images, "jpeg", in_place)
        for number in range(max(1, attempts // ATTEMPTS_A_SOURCE)):
            data = Picture.from_pixels(marked(edit, f"{number:06x}")).encoded("jpeg")
            image = images.put(data)
            ours, floor = 0.0, _timed(lambda data=data: simplejpeg.decode_jpeg(data, "RGB"))
            for seed in range(ATTEMPTS_A_SOURCE):
                edited = marked(edit, f"{seed:03x}{number:03x}")
                editor.answer = Picture.from_pixels(edited)
                job = EditJob(f"job {number} {seed}", "scene", "source", image, "edit", "edit it", seed)
                ours += _timed(lambda job=job: runner.run(perform(job, 1, bench)))
                floor += _timed(lambda edited=edited: _codec_floor(edited))
            ratios.append(ours / floor)
    return round(statistics.median(ratios), 3)


def _codec_floor(edited: Any) -> None:
    encoded = simplejpeg.encode_jpeg(edited, 95, "RGB", "444")
    simplejpeg.decode_jpeg(encoded, "RGB")


def _timed(work: Callable[[], object]) -> float:
    """Processor seconds: one thread works, and other programs on the machine hardly show."""
    began = time.process_time()
    work()
    return time.process_time() - began


def measure_studio(scenes: int) -> dict[str, float]:
    """Medians of the studio's roles at 1024², over operations and settings, back ends loaded and warm."""
    from benchmarks.studio_speed import medians

    return medians(scenes)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--attempts", type=int, default=2500)
    parser.add_argument("--pairs", type=int, default=60, help="attempts whose pixel work is measured")
    parser.add_argument("--scenes", type=int, default=12, help="scenes for the studio's speed")
    parser.add_argument("--skip-studio", action="store_true")
    chosen = parser.parse_args()
    cv2.setNumThreads(1)
    results = measure_loop(chosen.attempts)
    results["pixels_over_codec_floor"] = measure_pixels(chosen.pairs)
    if not chosen.skip_studio:
        results |= measure_studio(chosen.scenes)
    if chosen.json:
        print(json.dumps(results))
    else:
        for name, value in results.items():
            print(f"{name:26} {value}")


if __name__ == "__main__":
    main()
