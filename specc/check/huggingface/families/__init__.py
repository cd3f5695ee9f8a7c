"""The architectures that are understood: one file a publisher, read `base.py` first."""

from specc.check.huggingface.families import (
    deepseek,
    glm,
    gpt_oss,
    llama,
    mimo,
    minimax,
    qwen,
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
}

__all__ = ["FAMILIES", "Family"]
