"""Keys of a configuration that change nothing of what a step costs or holds.

A key that no reader asked for and that is not here could change the work: it is an error.
"""

# Names and files of the model, and what training and sampling alone use.
_ABOUT = (
    "_name_or_path",
    "_attn_implementation",
    "_attn_implementation_autoset",
    "architectures",
    "auto_map",
    "finetuning_task",
    "id2label",
    "label2id",
    "model_type",
    "name_or_path",
    "prefix",
    "problem_type",
    "task_specific_params",
    "tokenizer_class",
    "transformers_version",
    "unsloth_fixed",
    "unsloth_version",
)
_TRAINING = (
    "attention_dropout",
    "aux_loss_alpha",
    "embd_pdrop",
    "hidden_dropout",
    "hidden_dropout_prob",
    "initializer_range",
    "moe_router_dtype",
    "output_router_logits",
    "pretraining_tp",
    "resid_pdrop",
    "router_aux_loss_coef",
    "router_jitter_noise",
    "seq_aux",
    "tf_legacy_loss",
)
_SAMPLING = (
    "bad_words_ids",
    "begin_suppress_tokens",
    "bos_token_id",
    "decoder_start_token_id",
    "diversity_penalty",
    "do_sample",
    "early_stopping",
    "encoder_no_repeat_ngram_size",
    "eos_token_id",
    "exponential_decay_length_penalty",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "length_penalty",
    "max_length",
    "min_length",
    "no_repeat_ngram_size",
    "num_beam_groups",
    "num_beams",
    "num_return_sequences",
    "output_attentions",
    "output_hidden_states",
    "output_scores",
    "pad_token_id",
    "remove_invalid_values",
    "repetition_penalty",
    "return_dict",
    "return_dict_in_generate",
    "sep_token_id",
    "suppress_tokens",
    "temperature",
    "top_k",
    "top_p",
    "typical_p",
    "use_cache",
)
# Of transformers, for other kinds of models.
_OTHER_KINDS = (
    "add_cross_attention",
    "chunk_size_feed_forward",
    "cross_attention_hidden_size",
    "is_decoder",
    "is_encoder_decoder",
    "pruned_heads",
    "tie_encoder_decoder",
    "torchscript",
    "use_bfloat16",
)
# Constants of formulas: the same operators on the same shapes.
_CONSTANTS = (
    "attention_value_scale",
    "compress_rope_theta",
    "ep_size",  # of training
    "hc_eps",
    "hc_sinkhorn_iters",
    "indexer_rope_interleave",
    "layer_norm_eps",
    "layernorm_epsilon",
    "n_group",  # which experts may be chosen, not how many
    "norm_topk_prob",
    "partial_rotary_factor",  # of a head, of which the rotation reads all
    "rms_norm_eps",
    "rope_interleave",
    "rope_theta",
    "rotary_dim",
    "routed_scaling_factor",
    "swa_rope_theta",
    "swiglu_limit",
    "topk_group",
    "topk_method",
)
# Tokens that stand for images and videos.
_PLACEHOLDERS = (
    "ignore_index",
    "image_token_id",
    "media_placeholder_token_id",
    "use_unified_vision_chunk",
    "video_placeholder",
    "video_token_id",
    "vision_end_token_id",
    "vision_start_token_id",
)

HARMLESS = frozenset((*_ABOUT, *_TRAINING, *_SAMPLING, *_OTHER_KINDS, *_CONSTANTS, *_PLACEHOLDERS))

# Where the number formats of the weights stand; they do not count where a spec says the format.
OF_CHECKPOINTS = ("dtype", "torch_dtype", "quantization_config", "quantize", "expert_dtype")

HARMLESS_IN_VISION = frozenset(
    (
        "dtype",
        "hidden_act",
        "initializer_range",
        "model_type",
        "torch_dtype",
    )
)

# Of how positions are scaled: which numbers rotate, not how many.
HARMLESS_IN_POSITIONS = frozenset(
    (
        "attention_factor",
        "beta_fast",
        "beta_slow",
        "extrapolation_factor",
        "high_freq_factor",
        "long_factor",
        "low_freq_factor",
        "mrope_interleaved",
        "mrope_section",
        "mscale",
        "mscale_all_dim",
        "partial_rotary_factor",
        "rope_theta",
        "short_factor",
        "truncate",
    )
)
