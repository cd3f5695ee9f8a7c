"""What families share: their record, and the shapes that many of them have."""

from collections.abc import Callable

from attrs import frozen

from specc.check.huggingface.config import ConfigFile, Fields
from specc.check.huggingface.keys import HARMLESS_IN_POSITIONS
from specc.ir import Experts, Router, SlidingWindow, Vision
from specc.records import Record


@frozen(eq=False, repr=False)
class Family(Record):
    """Architectures that are read alike.

    Attributes:
        read: returns the fields of a model from the object that has the shape of its decoder;
            None where that object names an architecture of its own.
        harmless: keys that change nothing here, beside those that never do.
        vision: returns the encoder of a `vision_config`, for a decoder of a width; None where
            images are not read.
        beside: returns how many weights are loaded and never run in a plan, from the whole file.
        tied: whether embedding and output projection are one table where the file is silent.
    """

    read: Callable[[ConfigFile], Fields] | None
    harmless: tuple[str, ...] = ()
    vision: Callable[[ConfigFile, int], Vision] | None = None
    beside: Callable[[ConfigFile], int] | None = None
    tied: bool = False


def decoder(c: ConfigFile) -> Fields:
    """The fields that every decoder has."""
    c.only("hidden_act", *GATED)
    return {
        "layers": c.whole("num_hidden_layers"),
        "hidden_size": c.whole("hidden_size"),
        "vocab_size": c.whole("vocab_size"),
        "max_positions": positions(c),
    }


# Activations of MLPs with a gate: one costs as much as another.
GATED = ("silu", "swish", "gelu", "gelu_pytorch_tanh", "swigluoai", "situ")


def positions(c: ConfigFile) -> int:
    """Return the longest context, as vLLM derives it (config/model.py, max_model_len).

    Some ways to scale positions multiply it: YaRN from the length before it was scaled.
    """
    longest = c.whole("max_position_embeddings")
    scaling = c.nested("rope_parameters") or c.nested("rope_scaling")
    if scaling is None:
        return longest
    # Where layers with a window have another, that of full attention counts.
    sliding, full = scaling.nested("sliding_attention"), scaling.nested("full_attention")
    if sliding is not None:
        sliding.refuse_unknown((*HARMLESS_IN_POSITIONS, "rope_type", "type", "factor"))
    if full is not None:
        scaling.refuse_unknown(HARMLESS_IN_POSITIONS)
        scaling = full
    name = "rope_type" if scaling.get("rope_type") is not None else "type"
    kind = scaling.word(name, *_AS_THEY_ARE, *_MULTIPLIED, "yarn", default="default")
    scaling.repeats("type", kind, name)
    factor = scaling.number("factor", 1.0)
    original = scaling.whole("original_max_position_embeddings", default=longest)
    scaling.refuse_unknown(HARMLESS_IN_POSITIONS)
    if kind in _AS_THEY_ARE:
        return longest
    return round((original if kind == "yarn" else longest) * factor)


_AS_THEY_ARE = ("default", "mrope", "llama3", "longrope", "su", "proportional")
_MULTIPLIED = ("linear", "dynamic")


def grouped(c: ConfigFile) -> Fields:
    """Grouped-query attention in every layer."""
    shape = decoder(c)
    heads, hidden = c.whole("num_attention_heads"), shape["hidden_size"]
    return {
        **shape,
        "attention_heads": heads,
        "kv_heads": c.whole("num_key_value_heads", default=heads),
        "head_dim": c.whole("head_dim", default=max(1, hidden // heads)),
    }


def window(
    shape: Fields, layers: int, tokens: int, *, sinks: bool = False, chunked: bool = False
) -> SlidingWindow | None:
    """Return layers with a window whose heads are those of full attention; None for none."""
    if not layers:
        return None
    return SlidingWindow(
        layers=layers,
        window=tokens,
        attention_heads=shape["attention_heads"],
        kv_heads=shape["kv_heads"],
        head_dim=shape["head_dim"],
        value_head_dim=shape["head_dim"],
        sinks=sinks,
        chunked=chunked,
    )


def encoder_layer(hidden: int, inner: int) -> int:
    """Return the weights of a plain layer of an encoder: biases, two norms with biases."""
    projections = 4 * hidden * hidden + 2 * hidden * inner
    return projections + 4 * hidden + inner + hidden + 4 * hidden


def routed_after_dense(c: ConfigFile) -> Experts:
    """Experts in all layers but the first ones, which are dense."""
    c.only("moe_layer_freq", 1)
    layers, dense = c.whole("num_hidden_layers"), c.whole("first_k_dense_replace", 0, least=0)
    if c.get("mlp_layer_types") is not None:
        kinds = c.layer_types(("dense", "sparse"), "mlp_layer_types")
        counted = kinds.count("dense")
        if c.get("first_k_dense_replace") is not None and counted != dense:
            c.repeats("first_k_dense_replace", counted, "mlp_layer_types")
        dense = counted
    return routed(c, layers=layers - dense)


def routed(c: ConfigFile, layers: int) -> Experts:
    """Experts with a sigmoid router and a correction bias, as DeepSeek V3 named their fields."""
    width = c.whole("moe_intermediate_size")
    sigmoid = c.word("scoring_func", *_SCORES, default="sigmoid") != "softmax"
    return Experts(
        layers=layers,
        count=c.whole("n_routed_experts"),
        active=c.whole("num_experts_per_tok"),
        intermediate_size=width,
        shared_intermediate_size=width * c.whole("n_shared_experts", default=0, least=0),
        router=Router.SIGMOID if sigmoid else Router.SOFTMAX,
        router_bias=sigmoid,
        counts_embedding=False,
    )


_SCORES = ("sigmoid", "softmax", "sqrtsoftplus")
