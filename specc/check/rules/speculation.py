"""Rules of speculative decoding: what drafts, and how often a draft is accepted."""

from collections.abc import Iterator

from specc.check.labels import label_of
from specc.diagnostics import Diagnostic
from specc.ir import Deployment, Speculative


def missing_rates(_deployment: Deployment, block: Speculative) -> Iterator[Diagnostic]:
    """Speculation needs measured acceptance rates."""
    most = most_drafted(block)
    if most and not block.acceptance:
        yield Diagnostic(
            "E0401",
            "speculative decoding without acceptance rates",
            (label_of(block, "acceptance", "how often is a drafted token accepted?"),),
            why="they depend on model, draft and requests, and decide whether drafting pays; "
            "specc assumes none",
            help='measure them, and write acceptance = [0.8, 0.5] and source = "where"',
        )


def too_few_rates(_deployment: Deployment, block: Speculative) -> Iterator[Diagnostic]:
    """Each drafted token has a rate."""
    most = most_drafted(block)
    if most > len(block.acceptance):
        yield Diagnostic(
            "E0461",
            f"acceptance rates for {len(block.acceptance)} of {most} drafted tokens",
            (
                label_of(block, "tokens", "drafted tokens"),
                label_of(block, "acceptance", "one rate for each is needed"),
            ),
        )


def shares(_deployment: Deployment, block: Speculative) -> Iterator[Diagnostic]:
    """A rate is a share."""
    for rate in block.acceptance:
        if not 0 <= rate <= 1:
            yield Diagnostic(
                "E0402",
                f"an acceptance rate of {rate:g} is out of range",
                (label_of(block, "acceptance", "each is from 0 to 1"),),
            )


def rising_rates(_deployment: Deployment, block: Speculative) -> Iterator[Diagnostic]:
    """Rates are cumulative."""
    if list(block.acceptance) != sorted(block.acceptance, reverse=True):
        yield Diagnostic(
            "E0462",
            "acceptance rates increase from one drafted token to the next",
            (label_of(block, "acceptance", "these rates"),),
            why="a token counts only if all before it were accepted, so rates are cumulative",
        )


def source(_deployment: Deployment, block: Speculative) -> Iterator[Diagnostic]:
    """Rates say where they were measured."""
    if block.acceptance and not block.source:
        yield Diagnostic(
            "E0401",
            "the acceptance rates have no source",
            (label_of(block, "acceptance", "measured where?"),),
            help='write source = "what was measured, on which requests"',
        )


def draft_layers(deployment: Deployment, block: Speculative) -> Iterator[Diagnostic]:
    """Something must draft."""
    if block.draft is None and most_drafted(block) and not deployment.model.draft_layers:
        yield Diagnostic(
            "E0463",
            f"'{deployment.model.name}' has no draft layers (MTP) to speculate with",
            (label_of(block, "", "asked for here"), label_of(deployment, "model", "this model")),
            help="name a draft model: draft = qwen3_0_6b, or remove the block",
        )


def vocabulary(deployment: Deployment, block: Speculative) -> Iterator[Diagnostic]:
    """A drafted token is a token of the model."""
    if block.draft is not None and block.draft.vocab_size != deployment.model.vocab_size:
        yield Diagnostic(
            "E0464",
            f"the draft model has {block.draft.vocab_size} words, "
            f"'{deployment.model.name}' {deployment.model.vocab_size}",
            (label_of(block, "draft", "this draft"), label_of(deployment, "model", "this model")),
            why="a drafted token must be a token of the model",
        )


def most_drafted(block: Speculative) -> int:
    """Return the most tokens that are drafted at once."""
    return max(block.tokens or (1,))
