"""Tiny models, each made once a session, and no bars or telling from the libraries."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

TORCH = pytest.importorskip("torch", reason="torch isn't installed: make dev, or pip install 'triptych[gpu]'")


@pytest.fixture(scope="session", autouse=True)
def _quiet() -> None:
    from triptych.backends.weights import quiet

    TORCH.set_num_threads(1)
    quiet()


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Folder of a tiny model by its name in `tiny`."""
    from tests.gpu import tiny

    folder = tmp_path_factory.mktemp("models")
    tiny.spare_torchvision()

    def make(name: str) -> str:
        place: Path = folder / name
        if not place.exists():
            getattr(tiny, name)(place)
        return str(place)

    return make


@pytest.fixture
def small_conditioning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Qwen's editors look at a picture at 1024², whatever its size, which takes seconds here: 64² will do."""
    from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit as edit
    from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus as plus

    every = edit.calculate_dimensions
    monkeypatch.setattr(edit, "calculate_dimensions", lambda area, ratio: every(min(area, 64 * 64), ratio))
    monkeypatch.setattr(plus, "CONDITION_IMAGE_SIZE", 64 * 64)
    monkeypatch.setattr(plus, "VAE_IMAGE_SIZE", 64 * 64)
