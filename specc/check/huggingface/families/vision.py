"""Vision encoders."""

from attrs import evolve

from specc.check.huggingface.config import ConfigFile
from specc.ir import Vision


def vision_encoder(c: ConfigFile, out: int) -> Vision:
    """Return the vision encoder of a `vision_config`, for a decoder of width `out`."""
    layers, patch, channels = c.whole("depth"), c.whole("patch_size"), _channels(c)
    c.repeats("out_hidden_size", out, "hidden_size of the decoder")
    c.repeats("spatial_patch_size", patch, "patch_size")
    return Vision(
        layers=layers,
        hidden_size=c.whole("hidden_size"),
        intermediate_size=c.whole("intermediate_size"),
        heads=c.whole("num_heads"),
        patch_size=patch,
        merge=c.whole("spatial_merge_size"),
        frames=c.whole("temporal_patch_size", default=1),
        channels=channels,
        positions=c.whole("num_position_embeddings", default=0, least=0),
        deepstack=len(c.layers("deepstack_visual_indexes", layers)),
    )


def _channels(c: ConfigFile) -> int:
    """Return the colour channels, by either of two keys or both."""
    if c.get("in_channels") is None:
        return c.whole("in_chans", default=3)
    c.repeats("in_chans", c.whole("in_channels"), "in_channels")
    return c.whole("in_channels")


def plain_encoder(c: ConfigFile, out: int) -> Vision:
    """Return the encoder of Qwen2-VL, whose `hidden_size` is that of the decoder."""
    c.repeats("hidden_size", out, "hidden_size of the decoder")
    patch, hidden = c.whole("patch_size"), c.whole("embed_dim")
    c.repeats("spatial_patch_size", patch, "patch_size")
    return Vision(
        layers=c.whole("depth"),
        hidden_size=hidden,
        intermediate_size=round(hidden * c.number("mlp_ratio", 4.0)),
        heads=c.whole("num_heads"),
        patch_size=patch,
        merge=c.whole("spatial_merge_size"),
        frames=c.whole("temporal_patch_size", default=1),
        channels=_channels(c),
    )


def windowed_encoder(c: ConfigFile, out: int) -> Vision:
    """Return the encoder of Qwen2.5-VL: most layers attend within windows."""
    plain = vision_encoder(c, out)
    return evolve(
        plain,
        gated_mlp=True,
        window=(c.whole("window_size") // plain.patch_size) ** 2,
        whole_layers=len(c.layers("fullatt_block_indexes", plain.layers)),
    )


def moon_encoder(c: ConfigFile, out: int) -> Vision:
    """Return the encoder of Kimi (MoonViT): a plain MLP, 2 × 2 patches are one token."""
    c.repeats("text_hidden_size", out, "hidden_size of the decoder")
    c.only("merge_kernel_size", [2, 2])
    hidden = c.whole("vt_hidden_size")
    return Vision(
        layers=c.whole("vt_num_hidden_layers"),
        hidden_size=hidden,
        intermediate_size=c.whole("vt_intermediate_size"),
        heads=c.whole("vt_num_attention_heads"),
        patch_size=c.whole("patch_size"),
        merge=2,
        positions=c.whole("init_pos_emb_height") * c.whole("init_pos_emb_width"),
        attention_size=c.whole("qkv_hidden_size", default=hidden),
        biases=c.flag("attn_bias", default=True),
    )


def glm_encoder(c: ConfigFile, out: int) -> Vision:
    """Return the encoder of GLM-4V: gated MLPs without biases."""
    c.only("attention_bias", False)
    side = c.whole("image_size") // c.whole("patch_size")
    return evolve(vision_encoder(c, out), gated_mlp=True, biases=False, positions=side**2)
