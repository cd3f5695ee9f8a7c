"""Reads the shape of a model from a Hugging Face `config.json`.

Each architecture is a function from a configuration to fields of `Model`, so that sizes never
seen before are read as well. An architecture that is not understood, a field that is missing and
a setting without a rule are errors that name it and what is known.

Read `families.py` first.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from specc.check.convert import brief, check_read
from specc.check.huggingface.checkpoint import checkpoint
from specc.check.huggingface.config import ConfigFile, Fields
from specc.check.huggingface.families import FAMILIES
from specc.check.huggingface.keys import HARMLESS, HARMLESS_IN_VISION, OF_CHECKPOINTS
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
        raise config.problem(
            f"the architecture {brief(architecture)} of '{path.name}' is not supported",
            help="known: "
            + ", ".join(sorted(FAMILIES))
            + "; if it is built as one of these, write architecture = … beside 'config'",
        )
    text = config.nested("text_config") or config
    family = FAMILIES[architecture]
    fields = family.read(text)
    vision = config.nested("vision_config")
    if vision is not None and family.vision is not None:
        config.only("language_model_only", False)
        fields["vision"] = family.vision(vision, fields["hidden_size"])
        vision.refuse_unknown(HARMLESS_IN_VISION)
    tied = (config if config.get("tie_word_embeddings") is not None else text).flag(
        "tie_word_embeddings"
    )
    text.repeats("tie_word_embeddings", tied, "tie_word_embeddings outside of text_config")
    read = {"architecture": architecture, **fields, "tied_embeddings": tied}
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
    known = HARMLESS.union(family.harmless)
    config.refuse_unknown(known)
    text.refuse_unknown(known)
    check_read(Model, read, span, path.name)
    return read


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


_NESTED = ("text_config", "vision_config", "rope_scaling", "rope_parameters")


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
