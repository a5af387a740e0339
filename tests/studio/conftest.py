"""A studio in a temporary run folder, at sizes small enough for tests."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import cv2
import pytest

from triptych.backends.studio.editor import StudioEditor
from triptych.backends.studio.painter import StudioPainter
from triptych.backends.studio.truth import SourceTruth, Truth
from triptych.backends.studio.world import WorldStore
from triptych.backends.studio.writer import StudioWriter
from triptych.errors import CallFailed
from triptych.pixels.picture import Picture
from triptych.records import RoleName, hash_bytes
from triptych.roles import EditRequest, PaintRequest, RoleConfig, SceneDraft, SceneRequest

cv2.setNumThreads(1)


@dataclass(frozen=True)
class Studio:
    """Writer, painter and editor of one run, asked one thing at a time."""

    folder: Path

    def config(self, role: RoleName, **settings: str) -> RoleConfig:
        return RoleConfig(role, f"studio:{role}", settings, run_folder=self.folder)

    @property
    def world(self) -> WorldStore:
        return WorldStore(self.folder / "world.sqlite")

    def write(self, seed: int, *categories: str, objects: int = 3, edits: int = 4) -> SceneDraft:
        writer = StudioWriter(self.config("writer"))
        (draft,) = asyncio.run(writer.write([SceneRequest(seed, objects, edits, categories)]))
        assert isinstance(draft, SceneDraft)
        return draft

    def paint(self, prompt: str | None, seed: int, width: int = 160, height: int = 160) -> Picture:
        assert prompt is not None
        painter = StudioPainter(self.config("painter"))
        (picture,) = asyncio.run(painter.paint([PaintRequest(prompt, seed, width, height)]))
        assert isinstance(picture, Picture)
        return picture.stored("jpeg")

    def ask_editor(
        self, picture: Picture, instruction: str, seed: int, **settings: str
    ) -> Picture | CallFailed:
        editor = StudioEditor(self.config("editor", **settings))
        (answer,) = asyncio.run(editor.edit([EditRequest(picture, instruction, seed)]))
        return answer

    def edit(self, picture: Picture, instruction: str, seed: int, **settings: str) -> tuple[Picture, Truth]:
        answer = self.ask_editor(picture, instruction, seed, **settings)
        assert isinstance(answer, Picture)
        edited = answer.stored("jpeg")
        truth = self.world.truth_of(name(picture), instruction, name(edited))
        assert truth is not None
        return edited, truth

    def source_truth(self, picture: Picture) -> SourceTruth:
        truth = self.world.source_truth(name(picture))
        assert truth is not None
        return truth


def name(picture: Picture) -> str:
    return hash_bytes(picture.encoded("jpeg"))


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return Studio(tmp_path)
