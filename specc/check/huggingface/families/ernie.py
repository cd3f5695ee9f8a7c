"""ERNIE 4.5."""

from specc.check.huggingface.config import ConfigFile, Fields
from specc.check.huggingface.families.base import Family, grouped
from specc.ir import Experts


def _dense(c: ConfigFile) -> Fields:
    """Llama, with biases where the file says so."""
    return {
        **grouped(c),
        "intermediate_size": c.whole("intermediate_size"),
        "qkv_bias": c.flag("use_bias"),
    }


def _moe(c: ConfigFile) -> Fields:
    """Experts from some layer on; draft layers are dense."""
    layers = c.whole("num_hidden_layers")
    first = c.whole("moe_layer_start_index", default=0, least=0)
    last = c.get("moe_layer_end_index")
    c.only("moe_layer_end_index", -1, layers - 1)
    c.only("moe_layer_interval", 1)
    c.only("moe_gate", "topk", "top2_fused", "default")
    width = c.whole("moe_intermediate_size")
    return {
        **_dense(c),
        "draft_layers": c.whole("num_nextn_predict_layers", default=0, least=0),
        "draft_dense": True,
        "experts": Experts(
            layers=(layers if last in (None, -1) else last + 1) - first,
            count=c.whole("moe_num_experts"),
            active=c.whole("moe_k"),
            intermediate_size=width,
            shared_intermediate_size=width * c.whole("moe_num_shared_experts", 0, least=0),
            router_bias=c.flag("moe_use_aux_free", default=True),
        ),
    }


_HARMLESS = (
    "compression_ratio",
    "fuse_rms_norm",
    "fuse_softmax_mask",
    "moe_aux_loss_lambda",
    "moe_capacity",
    "moe_norm_min",
    "moe_orthogonal_loss_lambda",
    "moe_z_loss_lambda",
    "scale_qk_coeff",
    "weight_share_add_bias",
)
FAMILIES = {
    "Ernie4_5ForCausalLM": Family(_dense, _HARMLESS, tied=True),
    "Ernie4_5_MoeForCausalLM": Family(_moe, _HARMLESS, tied=True),
}
