"""InternVL: a decoder of any known architecture behind a vision encoder that cuts images up."""

from specc.check.huggingface.config import ConfigFile
from specc.check.huggingface.families.base import Family


def _intern_encoder(c: ConfigFile) -> int:
    """Return the weights of InternViT and its projection, which no plan runs.

    By InternVisionModel of vLLM 0.33: an image is cut into tiles of a size of its own.
    """
    vision = c.nested("vision_config")
    if vision is None:
        return 0
    h, i, side = (vision.whole(k) for k in ("hidden_size", "intermediate_size", "patch_size"))
    places = (vision.whole("image_size") // side) ** 2 + 1
    norm = h if vision.word("norm_type", *_NORMS, default="layer_norm") == "rms_norm" else 2 * h
    bias = 3 * h if vision.flag("qkv_bias", default=True) else 0
    norms = 2 * norm + (2 * h if vision.flag("qk_normalization") else 0)
    layer = 4 * h * h + bias + h + 2 * h * i + i + h + norms + 2 * h
    text = c.nested("llm_config") or c.nested("text_config") or c
    out = text.whole("hidden_size")
    projector = 8 * h + 4 * h * out + out + out * out + out
    ends = 3 * side**2 * h + h + places * h + h
    return ends + vision.whole("num_hidden_layers") * layer + projector


_NORMS = ("layer_norm", "rms_norm")
_HARMLESS = (
    "downsample_ratio",
    "dynamic_image_size",
    "force_image_size",
    "hidden_size",
    "img_context_token_id",
    "max_dynamic_patch",
    "min_dynamic_patch",
    "pad2square",
    "ps_version",
    "select_layer",
    "template",
    "use_backbone_lora",
    "use_llm_lora",
    "use_thumbnail",
)
FAMILIES = {"InternVLChatModel": Family(None, _HARMLESS, beside=_intern_encoder)}
