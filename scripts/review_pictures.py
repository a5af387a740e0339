"""Pictures of the review page for README and docs/review.md, from a run.

python scripts/review_pictures.py runs/quickstart
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlencode

from PIL import Image
from playwright.sync_api import Page, sync_playwright

PICTURES = Path(__file__).resolve().parent.parent / "docs" / "pictures"
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]


def main(run: Path) -> None:
    """Serve the run, open the two views, keep what they show."""
    command = [sys.executable, "-m", "triptych.cli.main", "review", str(run), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process, sync_playwright() as driver:
        assert process.stdout is not None
        url = process.stdout.readline().split()[1]
        try:
            path = shutil.which("chromium") or shutil.which("chromium-browser")
            browser = driver.chromium.launch(executable_path=path, args=FLAGS)
            view = {"width": 1280, "height": 860}
            page = browser.new_context(viewport=view, color_scheme="light").new_page()
            page.goto(f"{url}?{urlencode({'view': 'grid', 'sort': '-score', 'w': 300})}")
            page.wait_for_selector(".card [data-id]")
            keep(page, "review-grid.jpg")
            forward = {"kind": "forward", "stage": "kept", "sort": "-score"}
            page.goto(f"{url}?{urlencode({'view': 'grid'} | forward)}")
            page.wait_for_selector(".card [data-id]")
            best = page.locator(".card [data-id]").first.get_attribute("data-id")
            page = browser.new_context(viewport=view, color_scheme="dark").new_page()
            page.goto(f"{url}?{urlencode({'view': 'triplet', 'id': best} | forward)}")
            page.wait_for_selector(".attempt")
            keep(page, "review-triplet.jpg")
            browser.close()
        finally:
            process.terminate()


def keep(page: Page, name: str) -> None:
    """Once every picture in sight is there."""
    page.wait_for_load_state("networkidle")
    shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    shot.save(PICTURES / name, quality=80, optimize=True)
    print(PICTURES / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
