#!/usr/bin/env bash
# Starts an instance of qwen3_32b: TP=2 | PP=1 | DP=2
# Written by specc 0.1.0 from conversation-trace.spec, study instances_for_the_hour, configuration 1. README.md says what is assumed.
set -euo pipefail

die() {
    echo "serve.sh: $*" >&2
    exit 2
}

# Usage: MODEL=… ./serve.sh INSTANCE, INSTANCE from 0 to 2

MODEL="${MODEL:-}" # the folder of the weights on this server
[ -n "$MODEL" ] || die "set MODEL to the folder of the weights"
[ -d "$MODEL" ] || die "MODEL is '$MODEL', which is no folder"

HOST="${HOST:-0.0.0.0}" # where it listens
PORT="${PORT:-8000}"    # of the first instance on a server
INSTANCE="${1:-0}"
[[ "$INSTANCE" =~ ^[0-9]+$ && "$INSTANCE" -lt 3 ]] || die "INSTANCE is '$INSTANCE': from 0 to 2"
# A server has room for 4 instances.
slot=$((INSTANCE % 4))
first=$((slot * 4))
DEVICES="${DEVICES:-$(seq -s, "$first" $((first + 3)))}"
export ASCEND_RT_VISIBLE_DEVICES="$DEVICES"
PORT=$((PORT + slot))

command -v vllm > /dev/null || die "there is no vllm here: start it in the container quay.io/ascend/vllm-ascend:v0.23.0-a3"
export OMP_PROC_BIND=false # the engine binds its threads itself
export OMP_NUM_THREADS=10 # threads of a rank, as in the guides
export PYTORCH_NPU_ALLOC_CONF=expandable_segments:True # less fragmentation
export TASK_QUEUE_ENABLE=1 # operators are launched by a second thread
export HCCL_OP_EXPANSION_MODE=AIV # collectives are scheduled on vector cores

arguments=(
    "$MODEL"
    --host "$HOST"
    --port "$PORT"
    --tensor-parallel-size 2
    --max-model-len 40960
    --max-num-seqs 128
    --max-num-batched-tokens 4096
    --block-size 128
    --gpu-memory-utilization 0.92
    --quantization ascend
    --enable-prefix-caching
    --async-scheduling
    --compilation-config '{"cudagraph_mode": "FULL_DECODE_ONLY", "cudagraph_capture_sizes": [1, 2, 4, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 120, 128]}'
    --seed 1024
    --served-model-name qwen3_32b
    --data-parallel-size 2
)
exec vllm serve "${arguments[@]}"
