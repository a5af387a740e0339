"""How busy a GPU is kept, and what our code costs beside it: real architectures at full size, random weights.

    python benchmarks/gpu.py [--json] [--painter 4] [--judge 8]

Nothing is downloaded. The painter is a FLUX.1-schnell (its transformer's and VAE's own sizes; the prompt's
vectors are zeros, so no text encoder runs), the judge a language model of a 7B Qwen's size that reads as many
tokens as two pictures of 1 Mpx and a question make. Both are called as the back ends call them: a CPU
generator, one picture of 1024² in 4 steps; one pass, then one token. This was written without a GPU at hand,
and has not been run on one yet.

`gpu_busy_share`        time from each call's first kernel to its last over wall time, while pictures were
                        painted, stored and measured one by one; in a run these overlap: it is the worst case
`overhead_ms_per_image` wall time of the whole call less that of the model alone: PIL, JPEG, hashes, checks
`paint_s` `judge_s`     medians of one call
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


def no_gpu() -> str | None:
    """Why nothing can be measured here; None where it can."""
    try:
        import diffusers  # noqa: F401
        import torch
        import transformers  # noqa: F401
    except ModuleNotFoundError as error:
        return f"{error.name} isn't installed: pip install 'triptych[gpu]'"
    if not torch.cuda.is_available():
        return f"torch {torch.__version__} sees no GPU here; nothing was measured"
    return None


def _painter() -> Any:
    """FLUX.1-schnell without its text encoders, in bfloat16."""
    import diffusers
    import torch

    with torch.device("cuda"):
        torch.set_default_dtype(torch.bfloat16)
        transformer = diffusers.FluxTransformer2DModel(guidance_embeds=False)
        vae = diffusers.AutoencoderKL(
            block_out_channels=(128, 256, 512, 512),
            layers_per_block=2,
            latent_channels=16,
            down_block_types=["DownEncoderBlock2D"] * 4,
            up_block_types=["UpDecoderBlock2D"] * 4,
            use_quant_conv=False,
            use_post_quant_conv=False,
            shift_factor=0.1159,
            scaling_factor=0.3611,
        )
        torch.set_default_dtype(torch.float32)
    pipeline = diffusers.FluxPipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
        vae=vae.eval(),
        text_encoder=None,
        tokenizer=None,
        text_encoder_2=None,
        tokenizer_2=None,
        transformer=transformer.eval(),
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _judge() -> Any:
    """A decoder of a 7B Qwen2.5's sizes, in bfloat16."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    sizes = {"hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28}
    heads = {"num_attention_heads": 28, "num_key_value_heads": 4, "vocab_size": 152064}
    with torch.device("cuda"):
        torch.set_default_dtype(torch.bfloat16)
        model = Qwen2ForCausalLM(Qwen2Config(**sizes, **heads)).eval()
        torch.set_default_dtype(torch.float32)
    return model


def _painted(pipeline: Any, seed: int) -> Any:
    import torch

    embeds = torch.zeros((1, 512, 4096), dtype=torch.bfloat16, device="cuda")
    pooled = torch.zeros((1, 768), dtype=torch.bfloat16, device="cuda")
    return pipeline(
        prompt_embeds=embeds,
        pooled_prompt_embeds=pooled,
        width=1024,
        height=1024,
        num_inference_steps=4,
        guidance_scale=0.0,
        generator=[torch.Generator().manual_seed(seed)],
        output_type="pt",
    ).images


def _kept(image: Any, source: Any) -> Any:
    """What a run does with a picture: to pixels, encoded, decoded, hashed, measured against its source."""
    import numpy as np

    from triptych.pixels.picture import Picture, pixel_hash
    from triptych.pixels.signals import measure

    pixels = (image[0].permute(1, 2, 0).float().clamp(0, 1) * 255).round().byte().cpu().numpy()
    stored = Picture.from_pixels(np.ascontiguousarray(pixels)).stored("jpeg")
    pixel_hash(stored.pixels)
    if source is not None:
        measure(source.pixels, stored.pixels)
    return stored


def measure_painter(count: int) -> dict[str, float]:
    """Pictures one after the other, each kept before the next begins."""
    import torch

    pipeline = _painter()
    with torch.inference_mode():
        source = _kept(_painted(pipeline, 0), None)  # warms up
        torch.cuda.synchronize()
        models, busy = [], 0.0
        began = time.perf_counter()
        for seed in range(1, count + 1):
            start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            at = time.perf_counter()
            start.record()
            image = _painted(pipeline, seed)
            end.record()
            torch.cuda.synchronize()
            models.append(time.perf_counter() - at)
            busy += start.elapsed_time(end) / 1000
            source = _kept(image, source)
        wall = time.perf_counter() - began
    overhead = 1000 * (wall - sum(models)) / count
    return {
        "paint_s": round(statistics.median(models), 4),
        "gpu_busy_share": round(busy / wall, 4),
        "overhead_ms_per_image": round(overhead, 1),
    }


def measure_judge(count: int) -> dict[str, float]:
    """One pass over a prompt of two pictures, and one token."""
    import torch

    model = _judge()
    prompt = torch.randint(0, 150_000, (1, 2 * 1369 + 400), device="cuda")  # 28 px patches of 1 Mpx, twice
    times = []
    with torch.inference_mode():
        for _ in range(count + 1):
            torch.cuda.synchronize()
            at = time.perf_counter()
            model(prompt, logits_to_keep=1).logits.argmax().item()
            times.append(time.perf_counter() - at)
    return {"judge_s": round(statistics.median(times[1:]), 4)}


def main(words: Sequence[str] | None = None) -> None:
    """Print what was measured, with the device, or why nothing was."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--painter", type=int, default=4, help="pictures to paint")
    parser.add_argument("--judge", type=int, default=8, help="pairs to judge")
    arguments = parser.parse_args(words)
    reason = no_gpu()
    if reason is not None:
        print(json.dumps({"device": None, "reason": reason}) if arguments.json else reason)
        return
    import torch

    figures: dict[str, Any] = {"device": torch.cuda.get_device_name(), "torch": torch.__version__}
    figures |= measure_painter(arguments.painter)
    torch.cuda.empty_cache()
    figures |= measure_judge(arguments.judge)
    if arguments.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:24} {value}")


if __name__ == "__main__":
    main()
