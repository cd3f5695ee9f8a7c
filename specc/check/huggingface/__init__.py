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
from specc.check.huggingface.families import FAMILIES, vision_encoder
from specc.check.problems import ProblemError, problem
from specc.diagnostics import Span
from specc.ir import Model
from specc.workspace import UnreadableError, Workspace

_WITH_VISION = {
    "Qwen3_5ForConditionalGeneration",
    "Qwen3_5MoeForConditionalGeneration",
    "Qwen3VLForConditionalGeneration",
    "Qwen3VLMoeForConditionalGeneration",
}


def read_config(
    workspace: Workspace, path: Path, span: Span, given: Mapping[str, object] = MappingProxyType({})
) -> Fields:
    """Return the fields of a `Model` that a configuration gives.

    Args:
        workspace: reads files.
        path: of the configuration.
        span: the text that names it.
        given: what the block says itself: its `weights` decide over those of the checkpoint, and
            its `architecture` over that of the file.

    Raises:
        ProblemError: the file is no configuration of a supported architecture; the diagnostic
            points at `span`, the text that names the file.
    """
    config = ConfigFile(_load(workspace, path, span), path.name, span)
    architecture = str(given.get("architecture") or config.architecture())
    if architecture not in FAMILIES:
        raise config.problem(
            f"the architecture {brief(architecture)} of '{path.name}' is not supported",
            help="known: "
            + ", ".join(sorted(FAMILIES))
            + "; if it is built as one of these, write architecture = … beside 'config'",
        )
    text = config.nested("text_config") or config
    fields = FAMILIES[architecture](text)
    vision = config.nested("vision_config")
    if vision is not None and architecture in _WITH_VISION:
        fields["vision"] = vision_encoder(vision)
    tied = config.values.get("tie_word_embeddings", text.values.get("tie_word_embeddings"))
    read = {
        "architecture": architecture,
        **fields,
        "tied_embeddings": tied is True,
    }
    if "weights" not in given:

        def beside(name: str) -> ConfigFile | None:
            other = path.parent / name
            if not other.is_file():
                return None
            return ConfigFile(_load(workspace, other, span), name, span)

        read |= checkpoint(config, text, beside)
    check_read(Model, read, span, path.name)
    return read


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
