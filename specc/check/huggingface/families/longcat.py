"""LongCat-Flash."""

from specc.check.huggingface.config import ConfigFile, Fields
from specc.check.huggingface.families.base import Family, decoder
from specc.check.huggingface.families.deepseek import LATENT, latent_attention
from specc.ir import Experts


def _longcat(c: ConfigFile) -> Fields:
    """A block has attention and a dense MLP twice, and experts beside: two layers, one with them.

    Some of what the router chooses from gives a token back as it is.
    """
    blocks = c.whole("num_layers")
    c.repeats("num_hidden_layers", 2 * blocks, "twice num_layers")
    c.only("attention_bias", False)
    c.only("attention_method", "MLA")
    c.only("zero_expert_type", "identity")
    c.only("router_bias", False)
    return {
        **decoder(c.having({"num_hidden_layers": 2 * blocks})),
        **latent_attention(c),
        "intermediate_size": c.whole(c.either("ffn_hidden_size", "intermediate_size")),
        "mlp_layers": 2 * blocks,
        "draft_layers": c.whole("num_nextn_predict_layers", default=0, least=0),
        "draft_dense": True,
        "experts": Experts(
            layers=blocks,
            count=c.whole("n_routed_experts"),
            active=c.whole("moe_topk"),
            identities=c.whole("zero_expert_num", default=0, least=0),
            intermediate_size=c.whole(c.either("expert_ffn_hidden_size", "moe_intermediate_size")),
            router_bias=True,
            counts_embedding=False,
        ),
    }


FAMILIES = {
    "LongcatFlashForCausalLM": Family(
        _longcat, (*LATENT, "mla_scale_kv_lora", "mla_scale_q_lora", "nextn_use_scmoe")
    )
}
