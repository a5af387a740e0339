"""`transformers serve` over a tiny vision language model with random weights, for `make contract`.

    python scripts/contract_server.py FOLDER PORT

Makes the model in FOLDER if it isn't there, then serves it on 127.0.0.1 until it is ended.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main() -> None:
    folder, port = Path(sys.argv[1]).resolve(), sys.argv[2]
    cache = folder / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    os.environ |= {"HF_HUB_CACHE": str(cache), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    from tests.gpu import tiny

    tiny.spare_torchvision()
    if not (folder / "model/config.json").exists():
        tiny.qwen3_vl(folder / "model")
    from transformers.cli.transformers import main as transformers

    sys.argv = ["transformers", "serve", "--host", "127.0.0.1", "--port", port, "--device", "cpu"]
    transformers()


if __name__ == "__main__":
    main()
