"""MindIE-LLM: the file `config.json` of its server, with the template "Standard".

Read in the documentation and source of its repository (commit 2ad5b22e, whose `config.json` has
the schema of MindIE 2.3 and 3). Older versions were not read.
"""

from specc.engines.base import EngineHistory, MemoryClass, Sourced, VersionRules
from specc.engines.layouts import no_shared_contexts, no_stages, one_copy_of_experts
from specc.ir import Admission, Software, Vendor

_PARAMETERS = "docs/zh/user_guide/user_manual/service_parameter_configuration.md"

MINDIE = EngineHistory(
    software=Software.MINDIE,
    package="mindie-llm",
    vendors=(Vendor.HUAWEI,),
    launches=(one_copy_of_experts, no_shared_contexts, no_stages),
    versions=(
        VersionRules(
            read=("2.3",),
            admission=Sourced(
                Admission.WHOLE_PROMPT,
                f"{_PARAMETERS}: templateType Standard batches whole prompts, and maxPrefillTokens "
                "is at least maxInputTokenLen",
            ),
            prefix_caching=Sourced(
                False,
                "mindie_llm/text_generator/plugins/prefix_cache/README.md: only with "
                "plugin_type prefix_cache in plugin_params",
            ),
            async_scheduling=Sourced(
                False, "mindie_llm/utils/env.py: MINDIE_ASYNC_SCHEDULING_ENABLE = 0"
            ),
            batch=Sourced(
                (MemoryClass(chunk_budget=8192, max_sequences=200),),
                f"{_PARAMETERS}: maxPrefillTokens = 8192, of prompts alone; maxBatchSize = 200",
            ),
        ),
    ),
)
