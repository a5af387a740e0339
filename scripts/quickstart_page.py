"""Write docs/quickstart.md and docs/pictures/gallery.jpg from a finished quickstart run: `make figures`.

python scripts/quickstart_page.py runs/quickstart
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

DOCS = Path(__file__).resolve().parent.parent / "docs"
GATES = ("screen", "soft_filter", "low_level", "validator", "all_gates", "selected")
CHROMIUM = next(
    (p for p in ("/usr/bin/chromium", "/usr/bin/chromium-browser") if Path(p).exists()), "/usr/bin/chromium"
)


def main(run: Path) -> None:
    command = [sys.executable, "-m", "triptych.cli.main", "status", str(run), "--truth", "--json"]
    told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    (DOCS / "quickstart.md").write_text(page(told), encoding="utf-8")
    picture(run / "report.html", DOCS / "pictures" / "gallery.jpg")


def page(told: dict[str, Any]) -> str:
    truth, backward = told["truth"], told["backward_filter"]
    gates = [
        f"| {gate.replace('_', ' ')} | {truth[gate]['n']:,} | {share(truth[gate]['precision'])} "
        f"| {interval(truth[gate]['precision_interval'])} | {share(truth[gate]['recall'])} |"
        for gate in GATES
    ]
    kinds = [
        f"| {kind} | {counts['made']:,} | {counts['kept']:,} | {share(counts.get('precision'))} "
        f"| {interval(counts.get('precision_interval'))} |"
        for kind, counts in told["kinds"].items()
    ]
    flaws = [
        f"| {flaw.replace('_', ' ')} | {count['n']:,} | {count['accepted']:,} |"
        for flaw, count in truth["by_flaw"].items()
    ]
    funnel = [f"| {stage.replace('_', ' ')} | {count:,} |" for stage, count in told["funnel"].items()]
    return f"""# The quickstart, measured

What `recipes/quickstart.yaml` comes to on the embedded studio, beside the studio's own truth. Written by
`make figures` from `triptych status runs/quickstart --truth --json`, on Python
{platform.python_version()}, {platform.machine()}. "Really good" is above 4.0 on both true axes:
{share(truth["base_rate"])} of all attempts are. Intervals are Wilson's at 95 %. A judge of three global pixel
statistics reaches AUC {truth["three_statistics_auc"]}.

## Funnel

| stage | count |
|---|---|
{chr(10).join(funnel)}

## Gates

Precision: the truly good share of what passes. Recall: the share of the good that passes; of the selection,
over (source, instruction) with at least one good attempt. n: what reaches the gate (of the selection: what is
selected).

| gate | n | precision | 95 % | recall |
|---|---|---|---|---|
{chr(10).join(gates)}

## Multiplied

{told["multiplier"]} triplets leave the run for each one selected. The backward filter dropped
{backward["dropped"]} of the selected: {backward["bad_caught"]} of them bad, {backward["good_lost"]} good.
It caught {backward["trivial_successes_caught"]} of the {backward["trivial_successes"]} selected edits whose
object was never painted.

| kind | made | kept | precision of what is kept | 95 % |
|---|---|---|---|---|
{chr(10).join(kinds)}

## What slips through

Attempts that aren't good, by their worst flaw.

| flaw | attempts | accepted |
|---|---|---|
{chr(10).join(flaws)}
"""


def share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def interval(bounds: list[float] | None) -> str:
    return f"{bounds[0]:.1%} – {bounds[1]:.1%}" if bounds else "–"


def picture(report: Path, to: Path) -> None:
    """The page as a visitor first sees it."""
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
    quiet += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    with sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=CHROMIUM, args=quiet)
        view = browser.new_page(viewport={"width": 1440, "height": 1180})
        view.goto(report.resolve().as_uri())
        view.wait_for_timeout(1000)
        shot = to.with_suffix(".png")
        view.screenshot(path=str(shot))
        browser.close()
    Image.open(shot).convert("RGB").save(to, quality=88)
    shot.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
