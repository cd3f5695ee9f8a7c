"""GLM."""

from attrs import evolve

from specc.check.huggingface.config import ConfigFile, Fields
from specc.check.huggingface.families.base import Family, grouped, routed_after_dense
from specc.check.huggingface.families.deepseek import LATENT, deepseek
from specc.check.huggingface.families.vision import glm_encoder


def _glm_moe(c: ConfigFile) -> Fields:
    c.all_layers("full_attention")
    return {
        **grouped(c),
        "intermediate_size": c.whole("intermediate_size"),
        "qkv_bias": c.flag("attention_bias"),
        "qk_norm": c.flag("use_qk_norm"),
        "draft_layers": c.whole("num_nextn_predict_layers", default=0, least=0),
        "experts": routed_after_dense(c),
    }


def _glm(c: ConfigFile) -> Fields:
    """GLM-4 of 2025: norms behind attention and MLP."""
    c.all_layers("full_attention")
    return {
        **grouped(c),
        "intermediate_size": c.whole("intermediate_size"),
        "qkv_bias": c.flag("attention_bias"),
        "post_norms": True,
    }


def _glm_lite(c: ConfigFile) -> Fields:
    """GLM-4.7-Flash: latent attention; the publisher counts neither embedding nor output."""
    fields = deepseek(c)
    return {**fields, "experts": evolve(fields["experts"], counts_output=False)}


FAMILIES = {
    "Glm4ForCausalLM": Family(_glm),
    "Glm4MoeForCausalLM": Family(_glm_moe),
    "Glm4vMoeForConditionalGeneration": Family(_glm_moe, vision=glm_encoder),
    "Glm4MoeLiteForCausalLM": Family(_glm_lite, LATENT),
}
