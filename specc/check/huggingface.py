"""Reads the shape of a model from a Hugging Face `config.json`.

An architecture or a setting that is not understood is an error that names it and what is known.
"""

from pathlib import Path
from typing import Any

from specc.check.problems import ProblemError, problem
from specc.diagnostics import Span, list_known
from specc.workspace import UnreadableError, Workspace

# Architecture → whether it normalises each query and key head.
_DENSE = {"Qwen3ForCausalLM": True, "LlamaForCausalLM": False}

# Our field → the key of the configuration.
_KEYS = {
    "layers": "num_hidden_layers",
    "hidden_size": "hidden_size",
    "intermediate_size": "intermediate_size",
    "attention_heads": "num_attention_heads",
    "vocab_size": "vocab_size",
    "max_positions": "max_position_embeddings",
}

# Settings that change the computation, with the only value the cost model has rules for.
_UNDERSTOOD = {
    "attention_bias": False,
    "mlp_bias": False,
    "use_sliding_window": False,
    "hidden_act": "silu",
}


def read_config(workspace: Workspace, path: Path, span: Span) -> dict[str, Any]:
    """Return the fields of a `Model` that a configuration gives.

    Raises:
        ProblemError: the file is no configuration of a supported architecture; the diagnostic
            points at `span`, the text that names the file.
    """
    import json

    config = _load(workspace, path, span)
    architecture = _architecture(config, path, span)
    if architecture not in _DENSE:
        raise problem(
            span,
            "E0004",
            f"the architecture '{architecture}' of '{path.name}' is not supported",
            help=list_known(_DENSE, "architecture"),
        )
    for key, value in _UNDERSTOOD.items():
        if config.get(key) not in (None, value):
            raise problem(
                span,
                "E0004",
                f"'{path.name}' sets {key} = {json.dumps(config[key])}, which is not supported",
                why=f"the cost model has rules for {key} = {json.dumps(value)} alone",
            )
    fields = {name: _positive(config, key, path, span) for name, key in _KEYS.items()}
    heads = fields["attention_heads"]
    return {
        **fields,
        "kv_heads": _positive(config, "num_key_value_heads", path, span, default=heads),
        "head_dim": _positive(
            config, "head_dim", path, span, default=fields["hidden_size"] // heads
        ),
        "qk_norm": _DENSE[architecture],
        "tied_embeddings": config.get("tie_word_embeddings", False) is True,
    }


def _load(workspace: Workspace, path: Path, span: Span) -> dict[str, Any]:
    try:
        source = workspace.read(path, span)
    except UnreadableError as error:
        raise ProblemError(error.diagnostic) from None
    import json

    try:
        config = json.loads(source.text)
    except (ValueError, RecursionError) as error:
        place = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise problem(span, "E0004", f"'{path.name}' is not valid JSON{place}") from None
    if not isinstance(config, dict):
        raise problem(span, "E0004", f"'{path.name}' holds no JSON object")
    return config


def _architecture(config: dict[str, Any], path: Path, span: Span) -> str:
    names = config.get("architectures")
    if isinstance(names, list) and len(names) == 1 and isinstance(names[0], str):
        return names[0]
    raise problem(
        span,
        "E0004",
        f"'{path.name}' does not name one architecture",
        why="a Hugging Face configuration has a list 'architectures' with one entry",
    )


def _positive(
    config: dict[str, Any], key: str, path: Path, span: Span, default: int | None = None
) -> int:
    value = config.get(key)
    if value is None and default is not None:
        return default
    if type(value) is int and value > 0:
        return value
    found = "is missing" if value is None else f"is {value!r}"
    raise problem(
        span,
        "E0004",
        f"'{key}' of '{path.name}' {found}",
        why=f"the cost model needs a positive whole number for '{key}'",
    )
