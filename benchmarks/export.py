"""What an export costs beyond copying the same bytes: speed against `cp -r`, and memory.

    python benchmarks/export.py [--json] [--triplets 400] [--kilobytes 340] [--formats nhr,hf,…] [--repeats 3]

`ratio_to_cp`   time that `cp -r` of the finished export takes, over the time that its making took, check
                included: 1 is as fast as copying. The best of interleaved repeats; both read what the page
                cache holds, and neither waits for the disk
`write_to_cp`   the same without the read-back check
`peak_mb`       peak resident memory of a process that does nothing but that export

Pictures are random bytes between JPEG markers: nothing decodes them, and nothing can compress them.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from triptych.datasets import layout as layout_module
from triptych.datasets.dataset import DataSet, Origin
from triptych.datasets.images import MarkedImages
from triptych.datasets.layouts import FORMATS
from triptych.ledger.images import ImageStore
from triptych.mining.select import RejectedPair, Triplet
from triptych.recipe import Recipe
from triptych.records import Attempt, Edit, Scene, Source, pair_id
from triptych.validator.rule import Scores

EDITS_A_SOURCE = 4


def synthetic(folder: Path, count: int, size: int) -> tuple[DataSet, ImageStore]:
    """So many triplets, four of a source, and a rejected attempt at every fourth."""
    images = ImageStore(folder)
    chance = np.random.default_rng(0)

    def picture() -> str:
        return images.put(b"\xff\xd8\xff\xdb" + chance.bytes(size) + b"\xff\xd9")

    role = {"backend": "studio"}
    roles = ("writer", "painter", "screen", "editor", "soft_filter", "validator")
    recipe = Recipe.model_validate({"name": "synthetic", "scenes": 1, **dict.fromkeys(roles, role)})
    triplets: list[Triplet] = []
    rejected: list[RejectedPair] = []
    for number in range(count):
        ground = number // EDITS_A_SOURCE
        if number % EDITS_A_SOURCE == 0:
            scene = Scene(f"{ground:032x}", "written", f"scene {ground}", None)
            source = Source(f"{ground:032x}", 0, scene.id, "painter", 0, 1024, 1024, picture(), "0" * 32)
        edit = Edit(f"{number:032x}", scene.id, 0, f"Edit number {number}", "add")
        for step in range(2 if number % EDITS_A_SOURCE == 0 else 1):
            after = picture()
            pair = pair_id(source.image, edit.instruction, after)
            attempt = Attempt(
                f"{number:031x}{step}", 0, source.id, edit.id, "editor", step, after, "0" * 32, pair
            )
            root = scene, source, (edit,), (attempt,), source.image, edit.instruction, after
            if step == 0:
                triplets.append(Triplet(pair, "forward", *root, Scores(4.8, 4.9)))
            else:
                soft = Scores(2.5, 4.0)
                rejected.append(
                    RejectedPair(pair, "forward", *root, "soft_filter", "soft_adherence", soft, None)
                )
    return DataSet("synthetic", triplets, [Origin(recipe, {})], rejected), images


def export(name: str, data: DataSet, images: ImageStore, folder: Path, *, check: bool) -> float:
    """Seconds of one export, with the mark; the read-back check can be left out."""
    shutil.rmtree(folder, ignore_errors=True)
    kept = layout_module._check
    if not check:
        layout_module._check = lambda _expected, _found, _files, _images: None
    start = time.perf_counter()
    FORMATS[name](data, folder, MarkedImages(images, frozenset()))
    seconds = time.perf_counter() - start
    layout_module._check = kept
    return seconds


def copy(folder: Path, to: Path) -> float:
    """Seconds of `cp -r`."""
    shutil.rmtree(to, ignore_errors=True)
    start = time.perf_counter()
    subprocess.run(["cp", "-r", str(folder), str(to)], check=True)
    return time.perf_counter() - start


def speeds(name: str, data: DataSet, images: ImageStore, folder: Path, repeats: int) -> dict[str, float]:
    """Ratios, the three measured by turns."""
    checked, written, copied = [], [], []
    for _ in range(repeats):
        written.append(export(name, data, images, folder / "export", check=False))
        checked.append(export(name, data, images, folder / "export", check=True))
        copied.append(copy(folder / "export", folder / "copy"))
    copying = min(copied)
    shutil.rmtree(folder / "copy")
    shutil.rmtree(folder / "export")
    return {
        "ratio_to_cp": round(copying / min(checked), 3),
        "write_to_cp": round(copying / min(written), 3),
    }


def _peak(name: str, folder: Path, count: int, size: int, to: Path, answer: Any) -> None:
    data, images = synthetic(folder, count, size)  # the pictures are there: nothing is written
    export(name, data, images, to, check=True)
    status = Path("/proc/self/status").read_text()  # ru_maxrss would be the parent's, if that is larger
    answer.put(int(status.split("VmHWM:")[1].split()[0]) / 1024)


def peak(name: str, folder: Path, count: int, size: int, to: Path) -> float:
    """Peak resident memory in MB, in a process of its own."""
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    process = context.Process(target=_peak, args=(name, folder, count, size, to, answer))
    process.start()
    found: float = answer.get()
    process.join()
    shutil.rmtree(to)
    return round(found, 1)


def measure(names: list[str], count: int, kilobytes: int, repeats: int) -> dict[str, dict[str, float]]:
    results = {}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        data, images = synthetic(folder / "images", count, kilobytes * 1024)
        for name in names:
            found = speeds(name, data, images, folder, repeats)
            found["peak_mb"] = peak(name, folder / "images", count, kilobytes * 1024, folder / "export")
            results[name] = found
    return results


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--triplets", type=int, default=400)
    parser.add_argument(
        "--kilobytes", type=int, default=340, help="of a picture; a JPEG of 1024² has about 340"
    )
    parser.add_argument("--formats", default=",".join(FORMATS))
    parser.add_argument("--repeats", type=int, default=3)
    parsed = parser.parse_args()
    results = measure(parsed.formats.split(","), parsed.triplets, parsed.kilobytes, parsed.repeats)
    if parsed.json:
        print(json.dumps(results, indent=2))
        return
    print(f"{'format':<18}{'ratio to cp':>12}{'written only':>14}{'peak MB':>10}")
    for name, found in results.items():
        print(
            f"{name:<18}{found['ratio_to_cp']:>12.2f}{found['write_to_cp']:>14.2f}{found['peak_mb']:>10.0f}"
        )


if __name__ == "__main__":
    main()
