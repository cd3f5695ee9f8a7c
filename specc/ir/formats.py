"""Number formats: what weights, activations and the KV cache are stored and computed in."""

from enum import Enum


class Quantisation(Enum):
    """Number formats of weights and activations, by the names that engines use."""

    BF16 = "bf16"
    FP16 = "fp16"
    W8A8 = "w8a8"
    W8A8_DYNAMIC = "w8a8_dynamic"
    W8A16 = "w8a16"
    W4A8 = "w4a8"
    W4A16 = "w4a16"
    W4A4 = "w4a4"
    FP8 = "fp8"
    MXFP8 = "mxfp8"
    MXFP4 = "mxfp4"
    NVFP4 = "nvfp4"


class CacheFormat(Enum):
    """Number formats of the KV cache."""

    BF16 = "bf16"
    INT8 = "int8"
    FP8 = "fp8"
