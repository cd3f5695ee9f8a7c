"""The architectures that are understood: one file a publisher, read `base.py` first."""

from specc.check.huggingface.families import (
    bailing,
    deepseek,
    ernie,
    gemma,
    glm,
    gpt_oss,
    hunyuan,
    internvl,
    kimi,
    llama,
    longcat,
    mimo,
    minimax,
    nemotron,
    pangu,
    qwen,
    step,
)
from specc.check.huggingface.families.base import Family

FAMILIES: dict[str, Family] = {
    **llama.FAMILIES,
    **qwen.FAMILIES,
    **minimax.FAMILIES,
    **glm.FAMILIES,
    **gpt_oss.FAMILIES,
    **mimo.FAMILIES,
    **deepseek.FAMILIES,
    **kimi.FAMILIES,
    **step.FAMILIES,
    **gemma.FAMILIES,
    **nemotron.FAMILIES,
    **bailing.FAMILIES,
    **hunyuan.FAMILIES,
    **ernie.FAMILIES,
    **longcat.FAMILIES,
    **pangu.FAMILIES,
    **internvl.FAMILIES,
}

__all__ = ["FAMILIES", "Family"]
