"""Reads the shape of a model from a Hugging Face `config.json`.

Each architecture is a function from a configuration to fields of `Model`, so that sizes never
seen before are read as well. An architecture that is not understood, a field that is missing and
a setting without a rule are errors that name it and what is known.

Read `families/base.py` first.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from specc.check.convert import brief, check_read
from specc.check.huggingface.checkpoint import checkpoint
from specc.check.huggingface.config import ConfigFile, Fields
from specc.check.huggingface.families import FAMILIES, Family
from specc.check.huggingface.keys import HARMLESS, HARMLESS_IN_ENCODERS, OF_CHECKPOINTS
from specc.check.problems import ProblemError, problem
from specc.diagnostics import Span, did_you_mean
from specc.ir import Model
from specc.workspace import UnreadableError, Workspace


def read_config(
    workspace: Workspace, path: Path, span: Span, given: Mapping[str, object] = MappingProxyType({})
) -> Fields:
    """Return the fields of a `Model` that a configuration gives.

    Args:
        workspace: reads files.
        path: of the configuration.
        span: the text that names it.
        given: what the block says itself: its `weights` decide over those of the checkpoint, its
            `architecture` over that of the file, and keys in `ignore` do not count.

    Raises:
        ProblemError: the file is no configuration of a supported architecture; the diagnostic
            points at `span`, the text that names the file.
    """
    ignored = given.get("ignore")
    skipped = ignored if isinstance(ignored, tuple) else ()
    config = ConfigFile(
        _without(_load(workspace, path, span), skipped, path, span), path.name, span
    )
    architecture = str(given.get("architecture") or config.architecture())
    if architecture not in FAMILIES:
        raise _unknown(config, architecture)
    family = FAMILIES[architecture]
    outer, text = _decoder_of(config)
    harmless = HARMLESS.union(family.harmless)
    decoder = family if family.read else _inner_family(text)
    assert decoder.read is not None
    fields = decoder.read(text)
    known = harmless.union(decoder.harmless)
    fields |= _encoders(family, config, outer, fields["hidden_size"])
    said = [one for one in (config, outer, text) if one.get("tie_word_embeddings") is not None]
    tied = (said or [text])[0].flag("tie_word_embeddings", default=decoder.tied)
    text.repeats("tie_word_embeddings", tied, "tie_word_embeddings outside of text_config")
    read = {"architecture": architecture, **fields, "tied_embeddings": tied}
    for key in ("dtype", "torch_dtype"):
        outer.repeats(key, config.get(key), f"{key} outside of it")
    if "weights" not in given:

        def beside(name: str) -> ConfigFile | None:
            other = path.parent / name
            if not other.is_file():
                return None
            return ConfigFile(_load(workspace, other, span), name, span)

        read |= checkpoint(config, text, beside)
    else:
        for one in (config, text):
            one.asked.update(OF_CHECKPOINTS)
    for one in (config, outer, text):
        one.refuse_unknown(known)
    check_read(Model, read, span, path.name)
    return read


def _unknown(config: ConfigFile, architecture: str) -> ProblemError:
    """Return what to do about an architecture that nobody knows: name one, or write a block."""
    _, text = _decoder_of(config)
    sizes = [f"{field} = {_size(text, key, field)}" for key, field in _SIZES.items()]
    block = f"model NAME {{ {'; '.join(sizes)} }}"
    return config.problem(
        f"the architecture {brief(architecture)} of '{config.file}' is not supported",
        why="how its layers are built is not known",
        help="if they are built as those of a known one (specc list architectures), write"
        f" architecture = … beside 'config'; or write the model as a block: {block}, with "
        "the blocks that its layers need (specc explain model)",
    )


def _size(text: ConfigFile, key: str, field: str) -> str:
    """Return what a file says of a size, as it is written in a block."""
    value = text.values.get(key)
    unit = " tok" if field == "max_positions" else ""
    return f"{value}{unit}" if type(value) is int and value > 0 else "…"


# Keys that say the same in every file, and the fields that they are.
_SIZES = {
    "num_hidden_layers": "layers",
    "hidden_size": "hidden_size",
    "intermediate_size": "intermediate_size",
    "num_attention_heads": "attention_heads",
    "num_key_value_heads": "kv_heads",
    "head_dim": "head_dim",
    "vocab_size": "vocab_size",
    "max_position_embeddings": "max_positions",
}


def _decoder_of(config: ConfigFile) -> tuple[ConfigFile, ConfigFile]:
    """Return the object that names the parts of a model, and that which is its decoder."""
    outer = config.nested("thinker_config") or config
    return outer, outer.nested("text_config") or outer.nested("llm_config") or outer


def _inner_family(text: ConfigFile) -> Family:
    """Return the family of a decoder that names its own architecture."""
    architecture = text.architecture()
    family = FAMILIES.get(architecture)
    if family is not None and family.read is not None:
        return family
    raise _unknown(text, architecture)


def _encoders(family: Family, config: ConfigFile, outer: ConfigFile, width: int) -> Fields:
    """Return what a model has beside its decoder, for one of a width.

    Raises:
        ProblemError: it has an encoder whose weights nobody would count.
    """
    fields: Fields = {}
    beside = family.beside(config) if family.beside else 0
    if beside:
        fields["other_parameters"] = beside
    found = {key: outer.nested(key) for key in _ENCODERS}
    encoders = {key: encoder for key, encoder in found.items() if encoder is not None}
    if "vision_config" in encoders and family.vision is not None:
        config.only("language_model_only", False)
        fields["vision"] = family.vision(encoders["vision_config"], width)
    if encoders and not (family.vision or family.beside):
        names = ", ".join(f'"{key}"' for key in encoders)
        raise config.problem(
            f"'{config.file}' has an encoder that specc cannot count: {names}",
            why="its weights would be missing from the memory of every device",
            help=f"to plan the decoder alone, write ignore = [{names}] beside 'config'",
        )
    for encoder in encoders.values():
        encoder.refuse_unknown(HARMLESS | HARMLESS_IN_ENCODERS)
    return fields


_ENCODERS = ("vision_config", "audio_config")


def _without(config: Fields, ignored: tuple[str, ...], path: Path, span: Span) -> Fields:
    """Return a configuration without keys that shall not count, wherever they stand."""
    known = sorted(_keys(config))
    for key in ignored:
        if key not in known:
            raise problem(
                span,
                "E0004",
                f"'{path.name}' has no key '{key}' to ignore",
                help=did_you_mean(key, known, "key").text,
            )
    return _stripped(config, ignored)


def _keys(config: Fields) -> set[str]:
    inner = (v for k, v in config.items() if k in _NESTED and isinstance(v, dict))
    return set(config).union(*map(_keys, inner))


def _stripped(config: Fields, ignored: tuple[str, ...]) -> Fields:
    return {
        key: _stripped(value, ignored) if key in _NESTED and isinstance(value, dict) else value
        for key, value in config.items()
        if key not in ignored
    }


_NESTED = (
    "audio_config",
    "linear_attn_config",
    "llm_config",
    "rope_parameters",
    "rope_scaling",
    "sparse_attention_config",
    "text_config",
    "thinker_config",
    "vision_config",
)


def _load(workspace: Workspace, path: Path, span: Span) -> Fields:
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
        raise problem(span, "E0004", f"'{path.name}' is not a JSON object")
    return config


__all__ = ["FAMILIES", "read_config"]
