"""How engines keep the states of recurrent layers beside the blocks of the KV cache.

A sequence has one state in every layer of linear attention or of a state space, whatever its
length. In vLLM they lie in the same blocks as keys and values, so that a block is made as large
as a state: hundreds of tokens. Prefixes are found at ends of such blocks alone, and only where a
state was kept.
"""

import math

from attrs import frozen

from specc.ir import Software
from specc.records import Record
from specc.units import Tokens


@frozen(kw_only=True, eq=False, repr=False)
class StateRules(Record):
    """What an engine does with states.

    Attributes:
        unit: tokens that a block is a multiple of where it holds states; 0 where states have memory
            of their own.
        latent_unit: the same of a model with latent attention.
        over_keys: whether a state lies over the keys of a block alone, and the place of its values
            stays empty.
        keeps_format: whether states may be of the 16-bit type of the model.
        keeps_outputs: whether states of outputs are kept, so that a next turn finds them too.
        source: where this is from.
    """

    unit: Tokens
    latent_unit: Tokens
    over_keys: bool
    keeps_outputs: bool
    keeps_format: bool
    source: str


_VLLM = StateRules(
    unit=16,
    latent_unit=128,
    over_keys=False,
    keeps_outputs=False,
    keeps_format=True,
    source="vllm 0.33: platforms/interface.py (block size of hybrid models), config/cache.py "
    "(prefix_cache_retention_interval = 0: the last boundary of a prompt)",
)
_RULES: dict[Software, StateRules] = {
    Software.VLLM: _VLLM,
    Software.VLLM_ASCEND: StateRules(
        unit=128,
        latent_unit=128,
        over_keys=True,
        keeps_outputs=False,
        keeps_format=True,
        source="vllm-ascend 0.23: patch/platform/patch_mamba_config.py",
    ),
    Software.SGLANG: StateRules(
        unit=0,
        latent_unit=0,
        over_keys=False,
        keeps_outputs=True,
        keeps_format=False,
        source="sglang 0.5.23: mem_cache/kv_cache_configurator.py; a pool of states of its own",
    ),
}


def state_rules(software: Software | None) -> StateRules:
    """Return what an engine does with states; as vLLM where that is not known."""
    return _VLLM if software is None else _RULES.get(software, _VLLM)


@frozen(kw_only=True, eq=False, repr=False)
class LayerBytes(Record):
    """Bytes of one layer on one rank.

    Attributes:
        keys: of a token in a layer of full attention.
        values: likewise; 0 where keys and values are one.
        recurrent: state of a sequence in a recurrent layer, which is written anew in each step.
        convolution: inputs of it that a convolution still sees.
    """

    keys: float
    values: float
    recurrent: float
    convolution: float

    @property
    def token(self) -> float:
        """Of a token in a layer of full attention."""
        return self.keys + self.values

    @property
    def state(self) -> float:
        """Of a sequence in a recurrent layer."""
        return self.recurrent + self.convolution


@frozen(kw_only=True, eq=False, repr=False)
class Page(Record):
    """A block of one layer on one rank.

    Attributes:
        tokens: of a block.
        filled: bytes of the keys and values of a block.
        of_tokens: bytes that they take, with what is left empty.
        of_state: bytes that the state of a sequence takes.
        shared: whether states lie in the same blocks as keys and values.
        is_whole: whether a state is a whole number of blocks of keys, where it has to be.
    """

    tokens: Tokens
    filled: float
    of_tokens: float
    of_state: float
    shared: bool = False
    is_whole: bool = True


def page_of(
    software: Software | None, block: Tokens, layer: LayerBytes, *, latent: bool = False
) -> Page:
    """Return the blocks of an engine whose block size is `block`, for a model with such layers."""
    rules = state_rules(software)
    unit = rules.latent_unit if latent else rules.unit
    if not (unit and layer.state and layer.token):
        filled = block * layer.token
        return Page(tokens=block, filled=filled, of_tokens=filled, of_state=layer.state)
    is_whole = True
    if rules.over_keys:
        blocks = layer.recurrent / (unit * layer.keys)
        is_whole = blocks == math.ceil(blocks)
        tokens = max(block, unit * math.ceil(blocks))
        filled = tokens * layer.token
        size = filled + layer.convolution
    else:
        step = max(unit, block)
        tokens = step * math.ceil(layer.state / (step * layer.token))
        size = filled = tokens * layer.token
    return Page(
        tokens=tokens,
        filled=filled,
        of_tokens=size,
        of_state=size,
        shared=True,
        is_whole=is_whole,
    )


def hashed_tokens(hashed: Tokens, block: Tokens) -> Tokens:
    """Return what a trace names as a block: as many of its own blocks as hold one of an engine."""
    return hashed * math.ceil(block / hashed) if hashed % block else hashed
