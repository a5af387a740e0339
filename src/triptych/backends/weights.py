"""Weights of local models: found, told apart, loaded once a process, shared, and let go of.

Two roles whose `Weights` are equal are served by one copy.
"""

from __future__ import annotations

import gc
import importlib
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field

from triptych.errors import UserError, WorkFailed
from triptych.records import Json, hash_bytes
from triptych.roles import BackendSettings

_SMALL = 1_000_000  # bytes; larger files are told apart by their size, smaller ones by what they say
_INSTALL = "pip install 'triptych[gpu]'"

DType = Literal["bfloat16", "float16", "float32"]
Offload = Literal["none", "model", "sequential"]
Quantisation = Literal["none", "bitsandbytes-8bit", "bitsandbytes-4bit"]


class Adapter(BaseModel):
    """A LoRA that is added to a model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str  # a folder, a file, or a name on the Hub
    weight_name: str | None = None  # of several files there, which
    scale: float = 1.0


class LocalSettings(BackendSettings):
    """What every model on this machine is told."""

    model: str  # a folder in from_pretrained's layout, or a name on the Hub
    revision: str | None = None  # of the Hub's repository: a branch, a tag or a commit
    dtype: DType = "bfloat16"
    quantisation: Quantisation = "none"
    device: str = Field(default="auto", description="auto, cpu, cuda or cuda:1")
    offload: Offload = Field(default="none", description="parts of the model wait in the computer's memory")


def fingerprint(path: str) -> str | None:
    """What tells the contents of a local folder or file from another's; None for a name on the Hub."""
    place = Path(path).expanduser()
    if not place.exists():
        return None
    files = sorted(file for file in place.rglob("*") if file.is_file()) if place.is_dir() else [place]
    parts: list[bytes] = []
    for file in files:
        size = file.stat().st_size
        parts.append(f"{file.relative_to(place).as_posix()} {size}\n".encode())
        if size <= _SMALL:
            parts.append(file.read_bytes())
    return hash_bytes(*parts)


def looks_like_path(model: str) -> bool:
    """Whether a folder is meant and not a name on the Hub, which has exactly one slash."""
    return model.startswith((".", "/", "~")) or model.count("/") != 1 or Path(model).exists()


def check_folder(role: str, model: str, index: str) -> None:
    """Raises UserError where a local folder isn't there or hasn't the model's own file `index`."""
    if not looks_like_path(model):
        return
    folder = Path(model).expanduser()
    if not folder.is_dir():
        raise UserError(f"{role}: there is no folder {model}; give one that holds {index}, or a Hub name")
    if not (folder / index).is_file():
        raise UserError(
            f"{role}: {model} has no {index}, so it holds no such model; give the folder that"
            " save_pretrained wrote, or a Hub name"
        )


def need(role: str, *modules: str) -> Any:
    """Import the last of these modules, the others first; UserError says what to install."""
    found = None
    for module in modules:
        try:
            found = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name is None or not module.startswith(error.name.partition(".")[0]):
                raise
            raise UserError(f"{role}: {module} isn't installed: {_INSTALL}") from None
    return found


def device_of(settings: LocalSettings) -> str:
    """The device meant; UserError where this machine hasn't got it."""
    torch = importlib.import_module("torch")
    if settings.device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if settings.device.startswith("cuda") and not torch.cuda.is_available():
        raise UserError(
            f"device: {settings.device} was asked for, and torch {torch.__version__} sees no GPU here; set"
            " device: cpu, or install a torch built for this GPU"
        )
    return settings.device


def present(role: str, settings: LocalSettings) -> str:
    """What there is of a model before it is loaded: device, weights. UserError where it can't work here."""
    torch = need(role, "transformers", "torch")
    device = device_of(settings)
    if looks_like_path(settings.model):
        folder = Path(settings.model).expanduser()
    else:
        hub = need(role, "huggingface_hub")
        away = UserError(
            f"{role}: the weights of {settings.model} aren't here, or not all of them; fetch them first: hf"
            f" download {settings.model}" + (f" --revision {settings.revision}" if settings.revision else "")
        )
        try:
            folder = Path(
                hub.snapshot_download(settings.model, revision=settings.revision, local_files_only=True)
            )
        except FileNotFoundError:
            raise away from None
        if _missing(folder):
            raise away
    if missing := _missing(folder):
        raise UserError(f"{role}: {folder} lacks {missing}; copy or save the model again, or give a Hub name")
    size = sum(file.stat().st_size for file in folder.rglob("*.safetensors"))
    here = f"weights here ({size / 1e9:.1f} GB)"
    if not device.startswith("cuda"):
        return f"on {device}; {here}"
    found = torch.cuda.get_device_properties(device)
    if size > found.total_memory and settings.offload == "none" and settings.quantisation == "none":
        raise UserError(
            f"{role}: {settings.model} has {size / 1e9:.0f} GB of weights and {found.name} has"
            f" {found.total_memory / 1e9:.0f} GB: set offload: model, or quantisation: bitsandbytes-4bit"
        )
    return f"on {found.name} ({found.total_memory / 1e9:.0f} GB); {here}"


def _missing(folder: Path) -> str | None:
    """A file of weights that isn't there: one that an index names, or any at all."""
    for index in sorted(folder.rglob("*.index.json")):
        for name in sorted(set(orjson.loads(index.read_bytes()).get("weight_map", {}).values())):
            if not (index.parent / name).exists():
                return str((index.parent / name).relative_to(folder))
    found = any(folder.rglob("*.safetensors")) or any(folder.rglob("*.bin"))
    return None if found else "its weights (*.safetensors)"


def weights_key(settings: LocalSettings, *more: Json) -> str:
    """Name of a copy in memory: roles with equal keys share it."""
    parts = [settings.model, settings.revision, settings.dtype, settings.quantisation, settings.offload]
    return repr([*parts, settings.device, *more])


class Held:
    """A loaded model, used by one thread at a time."""

    def __init__(self, model: Any, device: str) -> None:
        self.model = model
        self.device = device
        self.lock = threading.Lock()


_held: dict[str, Held] = {}
_loading = threading.Lock()


def held(key: str, load: Callable[[], Held]) -> Held:
    """The copy of this name, loaded if it isn't there."""
    with _loading:
        if key not in _held:
            _held[key] = load()
        return _held[key]


def release(key: str) -> None:
    """Let go of a copy: the card is free for another."""
    with _loading:
        copy = _held.pop(key, None)
    if copy is None:
        return
    copy.model = None
    gc.collect()
    torch = importlib.import_module("torch")
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


@contextmanager
def loading(role: str, model: str) -> Iterator[None]:
    """Tell in one line what fails while weights are read: UserError for what is missing, else WorkFailed."""
    try:
        yield
    except (OSError, ValueError, KeyError) as error:  # what from_pretrained raises on files that don't fit
        told = " ".join(str(error).split())[:300]
        raise WorkFailed(f"{role}: {model} can't be loaded: {told}") from error
    except ImportError as error:  # a model's own needs, e.g. torchvision
        told = " ".join(str(error).split())[:200]
        raise UserError(f"{role}: {model} needs more than is installed: {told}") from None
    except importlib.import_module("torch").OutOfMemoryError:
        raise WorkFailed(
            f"{role}: {model} doesn't fit into the GPU's memory: set residency: phased, offload: model, or"
            " quantisation: bitsandbytes-4bit"
        ) from None


def quiet() -> None:
    """Keep the libraries from drawing bars over the run's own, and from telling what we handle."""
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # it tells of every try anew
    for name in ("diffusers.utils.logging", "transformers.utils.logging"):
        try:
            found = importlib.import_module(name)
        except ModuleNotFoundError:
            continue
        found.set_verbosity_error()
        found.disable_progress_bar()
