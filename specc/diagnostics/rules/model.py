"""Rules of a model: its sizes fit together."""

from specc.diagnostics.rule import Rule
from specc.diagnostics.rules.shared import model

RULES = (
    Rule(
        "E0421",
        "key-value heads do not divide the query heads",
        "In grouped-query attention each key-value head serves the same number of query heads. So "
        "'attention_heads' must be a multiple of 'kv_heads'. Compare both with the config.json of "
        "the "
        "model.",
        model("attention_heads = 5; kv_heads = 2", "qwen3_8b"),
        model("attention_heads = 6; kv_heads = 2", "qwen3_8b"),
    ),
    Rule(
        "E0422",
        "a model describes more layers than it has",
        "Layers with sliding-window and linear attention are part of 'layers'. Their number "
        "together "
        "is larger than 'layers'. Correct one of the counts.",
        model("linear { layers = 80 }", "qwen3_5_27b"),
        model("linear { layers = 48 }", "qwen3_5_27b"),
    ),
    Rule(
        "E0423",
        "more layers with experts than layers",
        "'experts.layers' counts the layers that have experts. They are part of 'layers', so there "
        "cannot be more of them. Correct one of the counts.",
        model("experts { layers = 60 }", "qwen3_30b_a3b"),
        model("experts { layers = 48 }", "qwen3_30b_a3b"),
    ),
    Rule(
        "E0424",
        "dense layers without the width of their MLP",
        "A layer without experts has a dense MLP, and its size is needed to compute time and "
        "memory. "
        "Give 'intermediate_size', or let every layer have experts.",
        model("experts { layers = 40 }; intermediate_size = 0", "qwen3_30b_a3b"),
        model("experts { layers = 40 }; intermediate_size = 6144", "qwen3_30b_a3b"),
    ),
    Rule(
        "E0425",
        "a token uses more experts than there are",
        "'experts.active' is the number of experts that one token uses, out of 'experts.count'. It "
        "cannot be larger. Perhaps the two numbers were swapped.",
        model("experts { active = 200 }", "qwen3_30b_a3b"),
        model("experts { active = 8 }", "qwen3_30b_a3b"),
    ),
    Rule(
        "E0426",
        "an indexer without a cache to pick from",
        "An indexer (sparse attention) picks tokens from a latent or compressed KV cache. This "
        "model "
        "has neither, so the indexer has nothing to work on. Add the block 'latent' or "
        "'compressed', "
        "or remove 'indexer'.",
        model("indexer { heads = 4; head_dim = 128; top_k = 2048 }", "qwen3_8b"),
        "use std.models\nmodel mine extends deepseek_v3 { indexer { heads = 4; head_dim = 128; "
        "top_k = 2048 } }\n",
    ),
    Rule(
        "E0427",
        "a model larger than any",
        "Each size of the model is possible by itself, but together they give more than 10^15 "
        "weights. One of them has a digit too many: compare them with the checkpoint.",
        model("hidden_size = 1000000; intermediate_size = 1000000; layers = 10000", "qwen3_8b"),
        "use std.models\nmodel mine extends qwen3_8b { layers = 40 }\n",
    ),
)
