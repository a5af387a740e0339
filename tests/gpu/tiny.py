"""Pipelines and language models of the real classes, made from configs with random weights, about a megabyte.

What other parts rely on is as large as in the real ones (latent channels, the transformer's inputs); the rest
is as small as the classes allow. Saved in from_pretrained's layout.
"""

from __future__ import annotations

import io
import json
import random
from pathlib import Path
from typing import Any

_NOUNS = "a the of and photo red green blue house tree cat dog car sky snow add remove make change into keep"
_REPLIES = 'score yes no adherence aesthetics instruction prompt edits category { } [ ] : , " 1 2 3 4 5'
WORDS = f"{_NOUNS} {_REPLIES}".split(" ")
_MARKS = (
    "endoftext",
    "im_start",
    "im_end",
    "vision_start",
    "vision_end",
    "vision_pad",
    "image_pad",
    "video_pad",
)
_LESSONS = 200  # batches; by then it keeps to the form nearly always
SPECIAL = [f"<|{mark}|>" for mark in _MARKS]
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content %}"
    "{% if part.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif part.type == 'video' %}<|vision_start|><|video_pad|><|vision_end|>"
    "{% else %}{{ part.text }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def spare_torchvision() -> None:
    """Let vision processors load without torchvision, which only their video part needs.

    The real package wants it; the build of torch that tests use has none that fits.
    """
    from transformers.processing_utils import ProcessorMixin
    from transformers.utils import is_torchvision_available

    if is_torchvision_available() or hasattr(ProcessorMixin, "_spares_torchvision"):
        return
    every = ProcessorMixin.get_attributes.__func__
    ProcessorMixin.get_attributes = classmethod(
        lambda cls: [name for name in every(cls) if "video_processor" not in name]
    )
    ProcessorMixin._spares_torchvision = True


def _sentences(count: int = 300) -> list[str]:
    chance = random.Random(5)
    return [" ".join(chance.choices(WORDS, k=10)) for _ in range(count)]


def _bpe(size: int, suffix: str = "") -> tuple[dict[str, int], list[tuple[str, str]]]:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    options = {"end_of_word_suffix": suffix} if suffix else {}
    tokenizer = Tokenizer(models.BPE(**options))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False, **options)
    tokenizer.train_from_iterator(_sentences(), trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return model["vocab"], [tuple(pair) for pair in model["merges"]]


def qwen_tokenizer() -> Any:
    from transformers import Qwen2Tokenizer

    vocab, merges = _bpe(500)
    vocab |= {word: len(vocab) + number for number, word in enumerate(SPECIAL)}
    tokenizer = Qwen2Tokenizer(
        vocab=vocab,
        merges=merges,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens=SPECIAL[1:],
        model_max_length=32768,
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def clip_tokenizer() -> Any:
    from transformers import CLIPTokenizer

    vocab, merges = _bpe(600, "</w>")
    vocab |= {word: len(vocab) + number for number, word in enumerate(["<|startoftext|>", "<|endoftext|>"])}
    return CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=77)


def t5_tokenizer() -> Any:
    import sentencepiece
    from transformers import T5Tokenizer

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(_sentences()),
        model_writer=model,
        vocab_size=300,
        hard_vocab_limit=False,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        minloglevel=2,
    )
    pieces = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    vocab = [(pieces.id_to_piece(i), pieces.get_score(i)) for i in range(pieces.get_piece_size())]
    vocab += [(f"<extra_id_{number}>", 0.0) for number in reversed(range(100))]
    return T5Tokenizer(vocab=vocab, model_max_length=512)


def _clip(tokenizer: Any) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel

    ends = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad")}
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2, "num_hidden_layers": 2}
    return CLIPTextModel(CLIPTextConfig(vocab_size=len(tokenizer), projection_dim=32, **sizes, **ends))


def _vae(kind: str = "AutoencoderKL", latent: int = 16, **options: Any) -> Any:
    import diffusers

    return getattr(diffusers, kind)(
        sample_size=64,
        block_out_channels=(8, 8, 16, 16),
        layers_per_block=1,
        latent_channels=latent,
        norm_num_groups=4,
        down_block_types=["DownEncoderBlock2D"] * 4,
        up_block_types=["UpDecoderBlock2D"] * 4,
        **options,
    )


def _flow(**options: Any) -> Any:
    from diffusers import FlowMatchEulerDiscreteScheduler

    return FlowMatchEulerDiscreteScheduler(**options)


def flux(folder: Path, *, kontext: bool = False) -> None:
    import diffusers
    import torch
    from transformers import T5Config, T5EncoderModel

    torch.manual_seed(0)
    clip, t5 = clip_tokenizer(), t5_tokenizer()
    transformer = diffusers.FluxTransformer2DModel(
        in_channels=64,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=32,
        axes_dims_rope=(4, 6, 6),
        guidance_embeds=kontext,
    )
    pipeline = diffusers.FluxKontextPipeline if kontext else diffusers.FluxPipeline
    pipeline(
        scheduler=_flow(shift=3.0, use_dynamic_shifting=kontext),
        text_encoder=_clip(clip),
        text_encoder_2=T5EncoderModel(
            T5Config(vocab_size=len(t5), d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4)
        ),
        tokenizer=clip,
        tokenizer_2=t5,
        transformer=transformer,
        vae=_vae(use_quant_conv=False, use_post_quant_conv=False, shift_factor=0.1159, scaling_factor=0.3611),
        image_encoder=None,
        feature_extractor=None,
    ).save_pretrained(folder)


def kontext(folder: Path) -> None:
    flux(folder, kontext=True)


_QWEN3 = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 8,
    "max_position_embeddings": 2048,
}


def klein(folder: Path) -> None:
    import diffusers
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(0)
    tokenizer = qwen_tokenizer()
    # Its layers 9, 18 and 27 are read, so there have to be 28; the transformer gets the three side by side.
    encoder = Qwen3ForCausalLM(Qwen3Config(num_hidden_layers=28, vocab_size=len(tokenizer), **_QWEN3))
    transformer = diffusers.Flux2Transformer2DModel(
        in_channels=128,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=48,
        timestep_guidance_channels=32,
        axes_dims_rope=(4, 4, 4, 4),
        guidance_embeds=False,
    )
    diffusers.Flux2KleinPipeline(
        scheduler=_flow(shift=3.0, use_dynamic_shifting=True),
        vae=_vae("AutoencoderKLFlux2", 32),
        text_encoder=encoder,
        tokenizer=tokenizer,
        transformer=transformer,
        is_distilled=True,
    ).save_pretrained(folder)


def z_image(folder: Path) -> None:
    import diffusers
    import torch
    from transformers import Qwen3Config, Qwen3Model

    torch.manual_seed(0)
    tokenizer = qwen_tokenizer()
    transformer = diffusers.ZImageTransformer2DModel(
        in_channels=16,
        dim=32,
        n_layers=2,
        n_refiner_layers=1,
        n_heads=2,
        n_kv_heads=2,
        cap_feat_dim=16,
        axes_dims=[8, 4, 4],
        axes_lens=[1024, 512, 512],
    )
    with torch.no_grad():  # left empty by the class
        transformer.x_pad_token.normal_()
        transformer.cap_pad_token.normal_()
    diffusers.ZImagePipeline(
        scheduler=_flow(shift=3.0),
        vae=_vae(scaling_factor=0.3611, shift_factor=0.1159, use_quant_conv=False, use_post_quant_conv=False),
        text_encoder=Qwen3Model(Qwen3Config(num_hidden_layers=2, vocab_size=len(tokenizer), **_QWEN3)),
        tokenizer=tokenizer,
        transformer=transformer,
    ).save_pretrained(folder)


def _text_config(tokenizer: Any, hidden: int, rope: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "hidden_size": hidden,
        "intermediate_size": 2 * hidden,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 8192,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, **rope},
        "bos_token_id": tokenizer.convert_tokens_to_ids("<|endoftext|>"),
        "eos_token_id": tokenizer.convert_tokens_to_ids("<|im_end|>"),
        "pad_token_id": tokenizer.convert_tokens_to_ids("<|endoftext|>"),
        "tie_word_embeddings": True,
        **more,
    }


def _markers(tokenizer: Any) -> dict[str, int]:
    names = {
        "image_token_id": "image_pad",
        "video_token_id": "video_pad",
        "vision_start_token_id": "vision_start",
    }
    return {key: tokenizer.convert_tokens_to_ids(f"<|{name}|>") for key, name in names.items()}


def _qwen25(tokenizer: Any, hidden: int) -> Any:
    from transformers import Qwen2_5_VLConfig

    head = hidden // 2
    sections = [head // 4 - head // 8, head // 8, head // 4]
    vision = {
        "depth": 2,
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_heads": 2,
        "out_hidden_size": hidden,
    }
    return Qwen2_5_VLConfig(
        text_config=_text_config(tokenizer, hidden, {"mrope_section": sections}),
        vision_config=vision | {"window_size": 112, "fullatt_block_indexes": [1]},
        tie_word_embeddings=True,
        **_markers(tokenizer),
    )


def _qwen3(tokenizer: Any) -> Any:
    from transformers import Qwen3VLConfig

    rope = {"mrope_section": [16, 8, 8], "mrope_interleaved": True}
    vision = {"depth": 2, "hidden_size": 16, "intermediate_size": 32, "num_heads": 2, "out_hidden_size": 32}
    return Qwen3VLConfig(
        text_config=_text_config(tokenizer, 32, rope, head_dim=64),
        vision_config=vision | {"deepstack_visual_indexes": [0], "num_position_embeddings": 144},
        tie_word_embeddings=True,
        **_markers(tokenizer),
    )


def _processor(kind: str, tokenizer: Any, patch: int) -> Any:
    import transformers
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    cell = (2 * patch) ** 2
    images = Qwen2VLImageProcessorPil(
        patch_size=patch, temporal_patch_size=2, merge_size=2, min_pixels=4 * cell, max_pixels=16 * cell
    )
    return getattr(transformers, kind)(image_processor=images, tokenizer=tokenizer, chat_template=TEMPLATE)


def _save_video(folder: Path, kind: str, patch: int) -> None:
    """What a processor wants to find where torchvision is installed."""
    sizes = {"patch_size": patch, "temporal_patch_size": 2, "merge_size": 2}
    size = {"shortest_edge": 4096, "longest_edge": 65536}
    text = json.dumps({"video_processor_type": kind, "size": size, **sizes})
    (folder / "video_preprocessor_config.json").write_text(text, encoding="utf-8")


def _save_language_model(folder: Path, model: Any, processor: Any, video: str, patch: int) -> None:
    model.generation_config.eos_token_id = processor.tokenizer.eos_token_id
    model.generation_config.pad_token_id = processor.tokenizer.pad_token_id
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    _save_video(folder, video, patch)


def qwen25_vl(folder: Path) -> None:
    import torch
    from transformers import Qwen2_5_VLForConditionalGeneration

    spare_torchvision()
    torch.manual_seed(0)
    tokenizer = qwen_tokenizer()
    model = Qwen2_5_VLForConditionalGeneration(_qwen25(tokenizer, 32))
    processor = _processor("Qwen2_5_VLProcessor", tokenizer, 14)
    _save_language_model(folder, model, processor, "Qwen2VLVideoProcessor", 14)


def qwen3_vl(folder: Path) -> None:
    import torch
    from transformers import Qwen3VLForConditionalGeneration

    spare_torchvision()
    torch.manual_seed(0)
    tokenizer = qwen_tokenizer()
    model = Qwen3VLForConditionalGeneration(_qwen3(tokenizer))
    processor = _processor("Qwen3VLProcessor", tokenizer, 16)
    _save_language_model(folder, model, processor, "Qwen3VLVideoProcessor", 16)


def _qwen_image(folder: Path, kind: str) -> None:
    import diffusers
    import torch
    from transformers import Qwen2_5_VLForConditionalGeneration

    spare_torchvision()
    torch.manual_seed(0)
    tokenizer = qwen_tokenizer()
    parts = {"processor": _processor("Qwen2VLProcessor", tokenizer, 14)} if "Edit" in kind else {}
    getattr(diffusers, kind)(
        scheduler=_flow(use_dynamic_shifting=True, base_shift=0.5, max_shift=0.9, shift_terminal=0.02),
        vae=diffusers.AutoencoderKLQwenImage(
            base_dim=8,
            z_dim=16,
            dim_mult=[1, 2, 2, 2],
            num_res_blocks=1,
            temperal_downsample=[False, True, True],
        ),
        text_encoder=Qwen2_5_VLForConditionalGeneration(_qwen25(tokenizer, 32)),
        tokenizer=tokenizer,
        transformer=diffusers.QwenImageTransformer2DModel(
            patch_size=2,
            in_channels=64,
            out_channels=16,
            num_layers=2,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=32,
            axes_dims_rope=(8, 4, 4),
        ),
        **parts,
    ).save_pretrained(folder)


def qwen_image(folder: Path) -> None:
    _qwen_image(folder, "QwenImagePipeline")


def qwen_image_edit(folder: Path) -> None:
    _qwen_image(folder, "QwenImageEditPipeline")


def qwen_image_edit_plus(folder: Path) -> None:
    _qwen_image(folder, "QwenImageEditPlusPipeline")


def qwen_image_21(folder: Path) -> None:
    import diffusers
    import torch
    from transformers import Qwen3VLForConditionalGeneration

    spare_torchvision()
    torch.manual_seed(0)
    tokenizer = qwen_tokenizer()
    diffusers.QwenImage21Pipeline(
        scheduler=_flow(use_dynamic_shifting=True),
        vae=diffusers.AutoencoderKLQwenImage21(
            base_dim=8, decoder_base_dim=8, z_dim=64, dim_mult=[1, 1, 2, 2, 2], num_res_blocks=1
        ),
        text_encoder=Qwen3VLForConditionalGeneration(_qwen3(tokenizer)),
        processor=_processor("Qwen3VLProcessor", tokenizer, 16),
        transformer=diffusers.QwenImage21Transformer2DModel(
            in_channels=64,
            out_channels=64,
            num_layers=2,
            attention_head_dim=16,
            num_attention_heads=2,
            context_in_dim=32,
            axes_dims_rope=(4, 6, 6),
        ),
    ).save_pretrained(folder)


def pix2pix(folder: Path) -> None:
    import diffusers
    import torch

    torch.manual_seed(0)
    tokenizer = clip_tokenizer()
    diffusers.StableDiffusionInstructPix2PixPipeline(
        vae=_vae(latent=4),
        text_encoder=_clip(tokenizer),
        tokenizer=tokenizer,
        unet=diffusers.UNet2DConditionModel(
            sample_size=16,
            in_channels=8,
            out_channels=4,
            block_out_channels=(8, 16),
            norm_num_groups=4,
            layers_per_block=1,
            cross_attention_dim=32,
            attention_head_dim=4,
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        ),
        scheduler=diffusers.EulerAncestralDiscreteScheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)


def writing(folder: Path) -> None:
    """A Qwen3-VL that was taught, in a few seconds, the form of a reply with one scene and one edit.

    Its words are still random; the grammar holds the rest.
    """
    import torch
    from transformers import Qwen3VLForConditionalGeneration

    spare_torchvision()
    torch.manual_seed(0)
    tokenizer = qwen_tokenizer()
    model = Qwen3VLForConditionalGeneration(_qwen3(tokenizer))
    chance = random.Random(1)
    nouns = _NOUNS.split(" ")

    def reply() -> str:
        prompt, asked = (" ".join(chance.choices(nouns, k=chance.randint(3, 6))) for _ in range(2))
        edit = {"category": chance.choice(nouns), "instruction": asked}
        return json.dumps({"scenes": [{"number": 1, "prompt": prompt, "edits": [edit]}]})

    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(_LESSONS):
        before = " ".join(chance.choices(WORDS, k=12))
        texts = [f"{before}<|im_end|>\n<|im_start|>assistant\n{reply()}<|im_end|>" for _ in range(8)]
        batch = tokenizer(texts, return_tensors="pt", padding=True)
        labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
        loss = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], labels=labels).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    processor = _processor("Qwen3VLProcessor", tokenizer, 16)
    _save_language_model(folder, model.eval(), processor, "Qwen3VLVideoProcessor", 16)


PAINTERS = {
    "flux": flux,
    "klein": klein,
    "z_image": z_image,
    "qwen_image": qwen_image,
    "qwen_image_21": qwen_image_21,
}
EDITORS = {
    "kontext": kontext,
    "klein": klein,
    "qwen_image_edit": qwen_image_edit,
    "qwen_image_edit_plus": qwen_image_edit_plus,
    "qwen_image_21": qwen_image_21,
    "pix2pix": pix2pix,
}
LANGUAGE_MODELS = {"qwen25_vl": qwen25_vl, "qwen3_vl": qwen3_vl}
