#!/usr/bin/env bash
# Measures what the plan promised: a replay of traces/splitwise_conv.csv.
# Written by specc 0.1.0 from conversation-trace.spec, study instances_for_the_hour, configuration 1. README.md says what is assumed.
set -euo pipefail

die() {
    echo "loadtest.sh: $*" >&2
    exit 2
}

# Usage: URL=… MODEL=… ./loadtest.sh [TOOL]; at its end it says how to compare.
# TOOL is vllm (vllm bench serve of 0.23 or newer) or aiperf.

URL="${URL:-}"     # of the server, of the proxy, or of the balancer: http://10.0.0.1:8000
MODEL="${MODEL:-}" # a folder with the tokenizer of the model
RESULT="${RESULT:-conversation-trace-instances-for-the-hou-result.json}"
TOOL="${1:-vllm}"
MODEL_NAME=qwen3_32b # as the server calls it
[ -n "$URL" ] || die "set URL to the address of the server, such as http://10.0.0.1:8000"
[ -d "$MODEL" ] || die "set MODEL to a folder with the tokenizer of the model"
TRACE="${TRACE:-}" # the path of the trace of the plan
[ -f "$TRACE" ] || die 'set TRACE to the path of traces/splitwise_conv.csv'
REQUESTS="$(mktemp)"
trap 'rm -f "$REQUESTS"' EXIT
python3 "$(dirname "${BASH_SOURCE[0]}")/requests.py" "$TRACE" > "$REQUESTS"

case "$TOOL" in
    vllm)
        vllm bench serve \
            --backend vllm \
            --base-url "$URL" \
            --endpoint /v1/completions \
            --model "$MODEL" \
            --served-model-name qwen3_32b \
            --dataset-name timed_trace \
            --dataset-path "$REQUESTS" \
            --timed-trace-chunk-hash-size 512 \
            --self-timed \
            --num-prompts 19366 \
            --ignore-eos \
            --percentile-metrics ttft,tpot,itl,e2el \
            --metric-percentiles 50,90,95,99 \
            --goodput ttft:2000 tpot:50 \
            --seed 1 \
            --save-result \
            --save-detailed \
            --result-filename "$RESULT" \
            --metadata specc_plan=conversation-trace.spec specc_study=instances_for_the_hour specc_configuration=1 tp=2 pp=1 dp=2 software=vllm_ascend
        ;;
    aiperf)
        IN_MS="$(mktemp --suffix .jsonl)"
        trap 'rm -f "$IN_MS" "$REQUESTS"' EXIT
        python3 -c 'import json, sys
for line in sys.stdin:
    row = json.loads(line)
    print(json.dumps({**row, "timestamp": round(1000 * row["timestamp"])}))' < "$REQUESTS" > "$IN_MS"
        unset HF_HUB_OFFLINE TRANSFORMERS_OFFLINE # with these it looks for MODEL among what was downloaded
        aiperf profile -m "$MODEL_NAME" --url "$URL" --endpoint-type completions --streaming \
            --tokenizer "$MODEL" --input-file "$IN_MS" --custom-dataset-type mooncake_trace \
            --isl-block-size 512 \
            --fixed-schedule \
            --extra-inputs ignore_eos:true --output-artifact-dir "${RESULT%.json}-aiperf"
        ;;
    *) die "TOOL is '$TOOL'" ;;
esac

hit=""
case "$TOOL" in
    aiperf | evalscope | ais_bench)
        RESULT="${RESULT%.json}-$TOOL"
        ;;
esac
spec=conversation-trace.spec
echo "then, in the folder of $spec: specc compare $spec $(realpath "$RESULT")$hit --study instances_for_the_hour --configuration 1"
