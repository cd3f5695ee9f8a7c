#!/usr/bin/env bash
# Starts an instance of qwen3_32b: TP=4 | PP=1 | DP=2
# Written by specc 0.1.0 from qwen3-32b-chat.spec, study server_choice, configuration 1. README.md says what is assumed.
set -euo pipefail

die() {
    echo "serve.sh: $*" >&2
    exit 2
}

# Usage: MODEL=… ./serve.sh

MODEL="${MODEL:-}" # the folder of the weights on this server
[ -n "$MODEL" ] || die "set MODEL to the folder of the weights"
[ -d "$MODEL" ] || die "MODEL is '$MODEL', which is no folder"

HOST="${HOST:-0.0.0.0}" # where it listens
PORT="${PORT:-8000}"    # of the first instance on a server
DEVICES="${DEVICES:-0,1,2,3,4,5,6,7}" # of the 16 of this server
export ASCEND_RT_VISIBLE_DEVICES="$DEVICES"

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
    --tensor-parallel-size 4
    --max-model-len 40960
    --max-num-seqs 60
    --max-num-batched-tokens 2048
    --block-size 128
    --gpu-memory-utilization 0.92
    --quantization ascend
    --enable-prefix-caching
    --async-scheduling
    --compilation-config '{"cudagraph_mode": "FULL_DECODE_ONLY", "cudagraph_capture_sizes": [1, 2, 4, 8, 16, 24, 32, 40, 48, 56, 60]}'
    --seed 1024
    --served-model-name qwen3_32b
    --data-parallel-size 2
)
exec vllm serve "${arguments[@]}"
