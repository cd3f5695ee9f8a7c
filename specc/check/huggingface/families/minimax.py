"""MiniMax."""

from specc.check.huggingface.config import ConfigFile, Fields
from specc.check.huggingface.families.base import Family, grouped
from specc.ir import Experts, Router


def _minimax(c: ConfigFile) -> Fields:
    c.only("qk_norm_type", "per_layer")
    c.only("scoring_func", "sigmoid")
    c.only("mtp_transformer_layers", 1)
    for key in ("attn_type_list", "layer_types"):
        _all_of(c, key)
    drafts = c.whole("num_mtp_modules", default=0, least=0)
    return {
        **grouped(c),
        "draft_layers": drafts if c.flag("use_mtp") else 0,
        "qk_norm_whole": c.flag("use_qk_norm"),
        "experts": Experts(
            layers=c.whole("num_hidden_layers"),
            count=c.whole("num_local_experts"),
            active=c.whole("num_experts_per_tok"),
            intermediate_size=c.whole("intermediate_size"),
            shared_intermediate_size=c.whole("shared_intermediate_size", default=0, least=0),
            router=Router.SIGMOID,
            router_bias=c.flag("use_routing_bias"),
        ),
    }


def _all_of(c: ConfigFile, key: str) -> None:
    """Refuse lists of layers that are not all of one kind (1 is full attention)."""
    kinds = c.get(key)
    if kinds is not None and set(map(str, kinds if isinstance(kinds, list) else [kinds])) - _FULL:
        raise c.problem(f"'{key}' of '{c.file}' names layers that are not of full attention")


_FULL = {"1", "full_attention"}


FAMILIES = {"MiniMaxM2ForCausalLM": Family(_minimax)}
