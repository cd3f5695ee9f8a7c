#!/usr/bin/env bash
# Measures what the plan promised: 120 clients.
# Written by specc 0.1.0 from qwen3-32b-chat.spec, study server_choice, configuration 1. README.md says what is assumed.
set -euo pipefail

die() {
    echo "loadtest.sh: $*" >&2
    exit 2
}

# Usage: URL=… MODEL=… ./loadtest.sh [TOOL]; at its end it says how to compare.
# TOOL is vllm (vllm bench serve of 0.23 or newer), aiperf, evalscope or ais_bench.

URL="${URL:-}"     # of the server, of the proxy, or of the balancer: http://10.0.0.1:8000
MODEL="${MODEL:-}" # a folder with the tokenizer of the model
RESULT="${RESULT:-qwen3-32b-chat-server-choice-result.json}"
TOOL="${1:-vllm}"
MODEL_NAME=qwen3_32b # as the server calls it
[ -n "$URL" ] || die "set URL to the address of the server, such as http://10.0.0.1:8000"
[ -d "$MODEL" ] || die "set MODEL to a folder with the tokenizer of the model"

case "$TOOL" in
    vllm)
        vllm bench serve \
            --backend vllm \
            --base-url "$URL" \
            --endpoint /v1/completions \
            --model "$MODEL" \
            --served-model-name qwen3_32b \
            --dataset-name random \
            --random-input-len 2450 \
            --random-prefix-len 1050 \
            --random-output-len 1500 \
            --random-range-ratio 0 \
            --max-concurrency 120 \
            --num-prompts 600 \
            --ignore-eos \
            --percentile-metrics ttft,tpot,itl,e2el \
            --metric-percentiles 50,90,95,99 \
            --goodput ttft:15000 tpot:50 \
            --seed 1 \
            --save-result \
            --save-detailed \
            --result-filename "$RESULT" \
            --metadata specc_plan=qwen3-32b-chat.spec specc_study=server_choice specc_configuration=1 tp=4 pp=1 dp=2 software=vllm_ascend prefix_hit=0.3
        ;;
    aiperf)
        unset HF_HUB_OFFLINE TRANSFORMERS_OFFLINE # with these it looks for MODEL among what was downloaded
        aiperf profile -m "$MODEL_NAME" --url "$URL" --endpoint-type completions --streaming \
            --tokenizer "$MODEL" --isl 2450 --isl-stddev 0 --osl 1500 --osl-stddev 0 \
            --prefix-prompt-length 1050 --num-prefix-prompts 1 \
            --concurrency 120 \
            --request-count 600 --extra-inputs ignore_eos:true --random-seed 1 \
            --output-artifact-dir "${RESULT%.json}-aiperf"
        ;;
    evalscope)
        evalscope perf --url "$URL/v1/completions" --model "$MODEL_NAME" --api openai --stream \
            --dataset random --tokenizer-path "$MODEL" --prefix-length 1050 \
            --min-prompt-length 2450 --max-prompt-length 2450 \
            --min-tokens 1500 --max-tokens 1500 --number 600 \
            --parallel 120 \
            --extra-args '{"ignore_eos": true}' --outputs-dir "${RESULT%.json}-evalscope"
        ;;
    ais_bench)
        folder="${RESULT%.json}-ais_bench"
        mkdir -p "$folder/models" "$folder/datasets"
        address="${URL#*://}"
        address="${address%%/*}"
        [[ "$address" == *:* ]] || die "set URL with a port, such as http://10.0.0.1:8000"
        cat > "$folder/models/plan.py" << END
from ais_bench.benchmark.models import VLLMCustomAPI

models = [
    dict(
        attr="service", type=VLLMCustomAPI, abbr="plan", path="$MODEL", model="$MODEL_NAME",
        stream=True, request_rate=0, use_timestamp=False, retry=2, api_key="",
        host_ip="${address%%:*}", host_port=${address##*:}, url="", max_out_len=1500,
        batch_size=120, trust_remote_code=False,
        generation_kwargs=dict(temperature=0.01, ignore_eos=True),
    )
]
END
        cat > "$folder/datasets/load.py" << END
from ais_bench.benchmark.datasets import MATHEvaluator, SyntheticDataset, math_postprocess_v2
from ais_bench.benchmark.openicl.icl_inferencer import GenInferencer
from ais_bench.benchmark.openicl.icl_prompt_template import PromptTemplate
from ais_bench.benchmark.openicl.icl_retriever import ZeroRetriever

load_datasets = [
    dict(
        abbr="synthetic", type=SyntheticDataset,
        config={
            "Type": "tokenid", "RequestCount": 600, "TrustRemoteCode": False,
            "TokenIdConfig": {"RequestSize": 3500, "PrefixLen": 1050},
        },
        reader_cfg=dict(input_columns=["question"], output_column="answer"),
        infer_cfg=dict(
            prompt_template=dict(type=PromptTemplate, template="{question}"),
            retriever=dict(type=ZeroRetriever), inferencer=dict(type=GenInferencer),
        ),
        eval_cfg=dict(
            evaluator=dict(type=MATHEvaluator, version="v2"),
            pred_postprocessor=dict(type=math_postprocess_v2),
        ),
    )
]
END
        ais_bench --config-dir "$folder" --models plan --datasets load --mode perf \
            --summarizer default_perf -w "$folder/outputs"
        ;;
    *) die "TOOL is '$TOOL'" ;;
esac

hit=""
case "$TOOL" in
    aiperf | evalscope | ais_bench)
        RESULT="${RESULT%.json}-$TOOL"
        hit=" --prefix-hit 0.3" # these tools do not write it down
        ;;
esac
spec=qwen3-32b-chat.spec
echo "then, in the folder of $spec: specc compare $spec $(realpath "$RESULT")$hit --study server_choice --configuration 1"
