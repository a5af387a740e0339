"""Write docs/published.md and docs/pictures/audit.svg from a finished run: `make figures`.

python scripts/published_page.py runs/quickstart [PAIRS]

PAIRS is a data set of other hands, audited beside the run by the run's own validator.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from triptych.datasets.layouts import FORMATS

DOCS = Path(__file__).resolve().parent.parent / "docs"


def told(*arguments: object) -> tuple[Any, str]:
    """What a command says as JSON (None where it failed), and beside it."""
    command = [sys.executable, "-m", "triptych.cli.main", *map(str, arguments), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (json.loads(done.stdout) if done.returncode == 0 else None), done.stderr.strip()


def main(run: Path, others: list[Path]) -> None:
    with TemporaryDirectory() as made:
        folder = Path(made)
        audits, said = told("audit", run, *others, "--out", folder / "audits")
        if audits is None:
            sys.exit(said)
        names = [run.resolve().name, *(other.resolve().name for other in others)]
        exports = {name: told("export", run, "--format", name, "--to", folder / name) for name in FORMATS}
        (DOCS / "published.md").write_text(
            page(audits if others else {names[0]: audits}, exports), encoding="utf-8"
        )
        (DOCS / "pictures").mkdir(exist_ok=True)
        shutil.copy(folder / "audits" / f"{'-'.join(names)}.svg", DOCS / "pictures" / "audit.svg")


def page(audits: dict[str, Any], exports: dict[str, tuple[Any, str]]) -> str:
    lines = [
        f"| {name}{' (uncalibrated)' if audit.get('uncalibrated') else ''} | {label} | {row['n']:,} "
        f"| {number(row['adherence'])} | {number(row['aesthetics'])} | {number(row['geometric'])} "
        f"| {bounds(row['ci']['geometric'])} |"
        for name, audit in audits.items()
        for label, row in {"all": audit, **audit["by_category"]}.items()
    ]
    skipped = [
        f"- {name}: {', '.join(f'{reason} {n:,}' for reason, n in audit['skipped'].items()) or 'none'}"
        for name, audit in audits.items()
    ]
    written = [
        f"| `{name}` | {export['triplets']:,} | {export['images']:,} | {export['bytes'] / 1e6:,.1f} "
        f"| `{export['dataset_hash']}` |"
        if export
        else f"| `{name}` | – | – | – | {why.removeprefix('triptych: ').splitlines()[-1]} |"
        for name, (export, why) in exports.items()
    ]
    return f"""# The quickstart, published and audited

Written by `make figures` from the run's exports and `triptych audit`. Every export below was read back: ids
and instructions are the ledger's, pictures hash to their names.

## Exports

| format | samples | pictures | MB | data set |
|---|---|---|---|---|
{chr(10).join(written)}

## Audited side by side

One judge, the run's own validator. It learned from the embedded studio: where a data set is marked
*uncalibrated* its figures say nothing about that data set, and stand here to show what an audit prints. 95 %:
bootstrap of the geometric mean over source pictures.

![Geometric means with their intervals](pictures/audit.svg)

| data set | category | n | adherence | aesthetics | geometric | 95 % |
|---|---|---|---|---|---|---|
{chr(10).join(lines)}

Rows without a score:

{chr(10).join(skipped)}
"""


def number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def bounds(interval: list[float] | None) -> str:
    return "–" if interval is None else f"{interval[0]:.2f} – {interval[1]:.2f}"


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(path) for path in sys.argv[2:]])
