#!/usr/bin/env bash
# Measures what the plan promised: requests at the times of the plan.
# Written by specc 0.1.0 from deepseek-v3-pd-ratio.spec, study ratio, configuration 1. README.md says what is assumed.
set -euo pipefail

die() {
    echo "loadtest.sh: $*" >&2
    exit 2
}

# Usage: URL=… MODEL=… ./loadtest.sh [TOOL]; at its end it says how to compare.
# TOOL is vllm (vllm bench serve of 0.23 or newer) or aiperf.

URL="${URL:-}"     # of the server, of the proxy, or of the balancer: http://10.0.0.1:8000
MODEL="${MODEL:-}" # a folder with the tokenizer of the model
RESULT="${RESULT:-deepseek-v3-pd-ratio-ratio-result.json}"
TOOL="${1:-vllm}"
MODEL_NAME=deepseek_v3 # as the server calls it
[ -n "$URL" ] || die "set URL to the address of the server, such as http://10.0.0.1:8000"
[ -d "$MODEL" ] || die "set MODEL to a folder with the tokenizer of the model"
REQUESTS="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/requests.jsonl" # as simulated: times, lengths, prefixes

case "$TOOL" in
    vllm)
        vllm bench serve \
            --backend vllm \
            --base-url "$URL" \
            --endpoint /v1/completions \
            --model "$MODEL" \
            --served-model-name deepseek_v3 \
            --dataset-name timed_trace \
            --dataset-path "$REQUESTS" \
            --timed-trace-chunk-hash-size 128 \
            --self-timed \
            --num-prompts 1000 \
            --ignore-eos \
            --percentile-metrics ttft,tpot,itl,e2el \
            --metric-percentiles 50,90,95,99 \
            --goodput ttft:4000 tpot:40 \
            --seed 1 \
            --save-result \
            --save-detailed \
            --result-filename "$RESULT" \
            --metadata specc_plan=deepseek-v3-pd-ratio.spec specc_study=ratio specc_configuration=1 prefix_hit=0.118628
        ;;
    aiperf)
        IN_MS="$(mktemp --suffix .jsonl)"
        trap 'rm -f "$IN_MS"' EXIT
        python3 -c 'import json, sys
for line in sys.stdin:
    row = json.loads(line)
    print(json.dumps({**row, "timestamp": round(1000 * row["timestamp"])}))' < "$REQUESTS" > "$IN_MS"
        unset HF_HUB_OFFLINE TRANSFORMERS_OFFLINE # with these it looks for MODEL among what was downloaded
        aiperf profile -m "$MODEL_NAME" --url "$URL" --endpoint-type completions --streaming \
            --tokenizer "$MODEL" --input-file "$IN_MS" --custom-dataset-type mooncake_trace \
            --isl-block-size 128 \
            --fixed-schedule \
            --extra-inputs ignore_eos:true --output-artifact-dir "${RESULT%.json}-aiperf"
        ;;
    *) die "TOOL is '$TOOL'" ;;
esac

hit=""
case "$TOOL" in
    aiperf | evalscope | ais_bench)
        RESULT="${RESULT%.json}-$TOOL"
        hit=" --prefix-hit 0.118628" # these tools do not write it down
        ;;
esac
spec=deepseek-v3-pd-ratio.spec
echo "then, in the folder of $spec: specc compare $spec $(realpath "$RESULT")$hit --study ratio --configuration 1"
