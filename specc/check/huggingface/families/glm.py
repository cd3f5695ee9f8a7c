"""GLM."""

from specc.check.huggingface.config import ConfigFile, Fields
from specc.check.huggingface.families.base import Family, grouped, routed_after_dense


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


FAMILIES = {"Glm4MoeForCausalLM": Family(_glm_moe)}
