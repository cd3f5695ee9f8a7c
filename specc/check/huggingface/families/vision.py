"""Vision encoders."""

from specc.check.huggingface.config import ConfigFile
from specc.ir import Vision


def vision_encoder(c: ConfigFile, out: int) -> Vision:
    """Return the vision encoder of a `vision_config`, for a decoder of width `out`."""
    layers = c.whole("depth")
    c.repeats("out_hidden_size", out, "hidden_size of the decoder")
    return Vision(
        layers=layers,
        hidden_size=c.whole("hidden_size"),
        intermediate_size=c.whole("intermediate_size"),
        heads=c.whole("num_heads"),
        patch_size=c.whole("patch_size"),
        merge=c.whole("spatial_merge_size"),
        frames=c.whole("temporal_patch_size", default=1),
        channels=c.whole("in_channels", default=3),
        positions=c.whole("num_position_embeddings", default=0, least=0),
        deepstack=len(c.layers("deepstack_visual_indexes", layers)),
    )
