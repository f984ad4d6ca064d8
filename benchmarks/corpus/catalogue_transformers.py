"""What of transformers is in the corpus: small configurations of its architectures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Settings = Mapping[str, Any]

_SMALL = {
    "vocab_size": 99,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
_IMAGE = {
    "image_size": 32,
    "patch_size": 8,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
}
_KV = {**_SMALL, "num_key_value_heads": 2, "head_dim": 8}


def _text(model: str, config: str, **more: Any) -> Settings:
    return {"model": model, "config": config, "arguments": {**_SMALL, **more}, "input": "text"}


def _kv(model: str, config: str, **more: Any) -> Settings:
    return {"model": model, "config": config, "arguments": {**_KV, **more}, "input": "text"}


def _vision(model: str, config: str, size: int = 32, **more: Any) -> Settings:
    return {"model": model, "config": config, "arguments": {**_IMAGE, **more}, "input": "image", "size": size}


def _bare(model: str, config: str, kind: str, arguments: Mapping[str, Any], **more: Any) -> Settings:
    return {"model": model, "config": config, "arguments": arguments, "input": kind, **more}


_GPT2 = {"vocab_size": 99, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64}
_T5 = {"vocab_size": 99, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}
_BART = {
    "vocab_size": 99,
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "max_position_embeddings": 64,
}
_WAVE = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "conv_dim": (32, 32, 32),
    "conv_stride": (5, 2, 2),
    "conv_kernel": (10, 3, 3),
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "vocab_size": 32,
}

TRANSFORMERS: dict[str, Settings] = {
    "bert": _text("BertModel", "BertConfig"),
    "roberta": _text("RobertaModel", "RobertaConfig"),
    "xlm_roberta": _text("XLMRobertaModel", "XLMRobertaConfig"),
    "distilbert": _bare(
        "DistilBertModel",
        "DistilBertConfig",
        "text",
        {"vocab_size": 99, "dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64},
    ),
    "albert": _text("AlbertModel", "AlbertConfig", embedding_size=16),
    "electra": _text("ElectraModel", "ElectraConfig", embedding_size=16),
    "mobilebert": _text("MobileBertModel", "MobileBertConfig", embedding_size=32, intra_bottleneck_size=32),
    "deberta_v2": _text("DebertaV2Model", "DebertaV2Config"),
    "mpnet": _text("MPNetModel", "MPNetConfig"),
    "modernbert": _text("ModernBertModel", "ModernBertConfig"),
    "convbert": _text("ConvBertModel", "ConvBertConfig", embedding_size=32, head_ratio=2),
    "squeezebert": _text("SqueezeBertModel", "SqueezeBertConfig", embedding_size=32),
    "fnet": _text("FNetModel", "FNetConfig"),
    "nystromformer": _text("NystromformerModel", "NystromformerConfig", segment_means_seq_len=16, num_landmarks=16),
    "layoutlm": _text("LayoutLMModel", "LayoutLMConfig"),
    "funnel": _bare(
        "FunnelBaseModel",
        "FunnelConfig",
        "text",
        {"vocab_size": 99, "d_model": 32, "n_head": 4, "d_head": 8, "d_inner": 64, "block_sizes": [1, 1]},
    ),
    "gpt2": _bare("GPT2LMHeadModel", "GPT2Config", "text", _GPT2),
    "gpt_neo": _text(
        "GPTNeoModel", "GPTNeoConfig", num_layers=2, num_heads=4, attention_types=[[["global", "local"], 1]]
    ),
    "gpt_neox": _text("GPTNeoXModel", "GPTNeoXConfig"),
    "gptj": _bare("GPTJModel", "GPTJConfig", "text", {**_GPT2, "rotary_dim": 4}),
    "opt": _text("OPTModel", "OPTConfig", ffn_dim=64, word_embed_proj_dim=32),
    "bloom": _text("BloomModel", "BloomConfig", n_layer=2, n_head=4),
    "llama": _kv("LlamaForCausalLM", "LlamaConfig"),
    "mistral": _kv("MistralModel", "MistralConfig"),
    "qwen2": _kv("Qwen2Model", "Qwen2Config"),
    "qwen3": _kv("Qwen3Model", "Qwen3Config"),
    "gemma": _kv("GemmaModel", "GemmaConfig"),
    "gemma2": _kv("Gemma2Model", "Gemma2Config"),
    "gemma3": _kv("Gemma3TextModel", "Gemma3TextConfig"),
    "phi": _text("PhiModel", "PhiConfig"),
    "phi3": _kv("Phi3Model", "Phi3Config"),
    "falcon": _text("FalconModel", "FalconConfig"),
    "smollm3": _kv("SmolLM3Model", "SmolLM3Config"),
    "stablelm": _kv("StableLmModel", "StableLmConfig"),
    "olmo2": _kv("Olmo2Model", "Olmo2Config"),
    "mamba": _text("MambaModel", "MambaConfig", state_size=4),
    "t5_encoder": _bare("T5EncoderModel", "T5Config", "text", _T5),
    "t5": _bare("T5ForConditionalGeneration", "T5Config", "text to text", _T5),
    "bart": _bare("BartModel", "BartConfig", "text to text", _BART),
    "vit": _vision("ViTModel", "ViTConfig"),
    "deit": _vision("DeiTModel", "DeiTConfig"),
    "beit": _vision("BeitModel", "BeitConfig", use_relative_position_bias=True),
    "dinov2": _vision("Dinov2Model", "Dinov2Config"),
    "dinov3_vit": _vision("DINOv3ViTModel", "DINOv3ViTConfig"),
    "swin": _bare(
        "SwinModel",
        "SwinConfig",
        "image",
        {"image_size": 64, "patch_size": 4, "embed_dim": 16, "depths": [1, 1], "num_heads": [2, 4], "window_size": 4},
        size=64,
    ),
    "swinv2": _bare(
        "Swinv2Model",
        "Swinv2Config",
        "image",
        {"image_size": 64, "patch_size": 4, "embed_dim": 16, "depths": [1, 1], "num_heads": [2, 4], "window_size": 4},
        size=64,
    ),
    "convnext": _bare(
        "ConvNextModel", "ConvNextConfig", "image", {"hidden_sizes": [16, 32, 48, 64], "depths": [1, 1, 1, 1]}, size=64
    ),
    "convnextv2": _bare(
        "ConvNextV2Model",
        "ConvNextV2Config",
        "image",
        {"hidden_sizes": [16, 32, 48, 64], "depths": [1, 1, 1, 1]},
        size=64,
    ),
    "mobilevit": _bare("MobileViTModel", "MobileViTConfig", "image", {"image_size": 64}, size=64),
    "mobilevitv2": _bare("MobileViTV2Model", "MobileViTV2Config", "image", {"image_size": 64}, size=64),
    "mobilenet_v2": _bare(
        "MobileNetV2Model", "MobileNetV2Config", "image", {"image_size": 64, "depth_multiplier": 0.5}, size=64
    ),
    "resnet": _bare(
        "ResNetModel",
        "ResNetConfig",
        "image",
        {"hidden_sizes": [16, 32, 48, 64], "depths": [1, 1, 1, 1], "embedding_size": 16},
        size=64,
    ),
    "segformer": _bare(
        "SegformerForSemanticSegmentation",
        "SegformerConfig",
        "image",
        {"hidden_sizes": [16, 16, 32, 32], "depths": [1, 1, 1, 1], "decoder_hidden_size": 32},
        size=64,
    ),
    "poolformer": _bare("PoolFormerModel", "PoolFormerConfig", "image", {"hidden_sizes": [16, 16, 32, 32]}, size=64),
    "pvt_v2": _bare(
        "PvtV2Model",
        "PvtV2Config",
        "image",
        {"hidden_sizes": [16, 32, 64, 64], "num_attention_heads": [1, 2, 4, 4]},
        size=64,
    ),
    "levit": _bare("LevitModel", "LevitConfig", "image", {"image_size": 64}, size=64),
    "dpt": _vision(
        "DPTForDepthEstimation",
        "DPTConfig",
        num_hidden_layers=4,
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[8, 8, 16, 16],
        fusion_hidden_size=16,
        is_hybrid=False,
    ),
    "yolos": _vision("YolosForObjectDetection", "YolosConfig", image_size=[32, 32], num_detection_tokens=5),
    "detr": _bare(
        "DetrForObjectDetection",
        "DetrConfig",
        "image",
        {
            "d_model": 32,
            "encoder_layers": 1,
            "decoder_layers": 1,
            "encoder_ffn_dim": 32,
            "decoder_ffn_dim": 32,
            "encoder_attention_heads": 4,
            "decoder_attention_heads": 4,
            "num_queries": 5,
            "use_timm_backbone": False,
            "use_pretrained_backbone": False,
            "backbone": None,
            "backbone_config": {
                "model_type": "resnet",
                "hidden_sizes": [16, 32, 48, 64],
                "depths": [1, 1, 1, 1],
                "embedding_size": 16,
                "out_features": ["stage4"],
            },
        },
        size=64,
    ),
    "rt_detr": _bare(
        "RTDetrForObjectDetection",
        "RTDetrConfig",
        "image",
        {
            "encoder_layers": 1,
            "decoder_layers": 1,
            "d_model": 64,
            "encoder_hidden_dim": 64,
            "num_queries": 10,
            "decoder_attention_heads": 4,
            "encoder_attention_heads": 4,
            "encoder_ffn_dim": 64,
            "decoder_ffn_dim": 64,
            "decoder_in_channels": [64, 64, 64],
            "anchor_image_size": [64, 64],
        },
        size=64,
    ),
    "clip_text": _text("CLIPTextModel", "CLIPTextConfig"),
    "clip_vision": _vision("CLIPVisionModel", "CLIPVisionConfig"),
    "siglip_vision": _vision("SiglipVisionModel", "SiglipVisionConfig"),
    "wav2vec2": _bare("Wav2Vec2ForCTC", "Wav2Vec2Config", "wave", _WAVE),
    "hubert": _bare("HubertModel", "HubertConfig", "wave", _WAVE),
    "wavlm": _bare("WavLMModel", "WavLMConfig", "wave", _WAVE),
    "data2vec_audio": _bare(
        "Data2VecAudioModel",
        "Data2VecAudioConfig",
        "wave",
        {**_WAVE, "num_conv_pos_embeddings": 2, "conv_pos_kernel_size": 3},
    ),
    "sew": _bare("SEWModel", "SEWConfig", "wave", {**_WAVE, "squeeze_factor": 2}),
    "whisper_encoder": _bare(
        "WhisperModel",
        "WhisperConfig",
        "mel",
        {
            **_BART,
            "num_mel_bins": 16,
            "max_source_positions": 50,
            "max_target_positions": 20,
            "decoder_start_token_id": 1,
            "pad_token_id": 0,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "suppress_tokens": None,
            "begin_suppress_tokens": None,
        },
        part="encoder",
    ),
    "audio_spectrogram": _bare(
        "ASTModel",
        "ASTConfig",
        "spectrogram",
        {
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 64,
            "patch_size": 4,
            "max_length": 32,
            "num_mel_bins": 16,
            "frequency_stride": 4,
            "time_stride": 4,
        },
    ),
}
