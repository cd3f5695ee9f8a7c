#!/usr/bin/env bash
# Starts one data-parallel rank that decodes, with the seven arguments of vLLM-Ascend's run_dp_template.sh.
# Written by specc 0.1.0 from deepseek-v3-pd-ratio.spec, study ratio, configuration 1. README.md says what is assumed.
set -euo pipefail

die() {
    echo "decode-rank.sh: $*" >&2
    exit 2
}

# Usage: decode-rank.sh DEVICES PORT DP_SIZE DP_RANK DP_ADDRESS DP_RPC_PORT TP_SIZE
# decode.sh calls it for each rank of a server; launch_online_dp.py can, too.

[ $# -eq 7 ] || die "give DEVICES PORT DP_SIZE DP_RANK DP_ADDRESS DP_RPC_PORT TP_SIZE"
MODEL="${MODEL:-}" # the folder of the weights on this server
[ -n "$MODEL" ] || die "set MODEL to the folder of the weights"
[ -d "$MODEL" ] || die "MODEL is '$MODEL', which is no folder"

NODE_IP="${NODE_IP:-}" # the address of this server that the others reach
NIC="${NIC:-}"         # the network interface that has it
[ -n "$NODE_IP" ] || die "set NODE_IP to the address of this server"
[ -n "$NIC" ] || die "set NIC to the network interface of $NODE_IP"
[ -e "/sys/class/net/$NIC" ] || die "NIC is '$NIC', which is no interface of this server"

ENGINE_ID="${ENGINE_ID:-}" # of the instance, unique among all that prefill and decode
KV_PORT="${KV_PORT:-}"     # of the instance: 32 ports from there are used
[ -n "$ENGINE_ID" ] || die "set ENGINE_ID to a number of its own for each instance"
[ -n "$KV_PORT" ] || die "set KV_PORT to the first of 32 free ports, from 37000 on"

export ASCEND_RT_VISIBLE_DEVICES="$1"
export HCCL_IF_IP="$NODE_IP"
export HCCL_SOCKET_IFNAME="$NIC"
export GLOO_SOCKET_IFNAME="$NIC"
export TP_SOCKET_IFNAME="$NIC"

export OMP_PROC_BIND=false # the engine binds its threads itself
export OMP_NUM_THREADS=10 # threads of a rank, as in the guides
export PYTORCH_NPU_ALLOC_CONF=expandable_segments:True # less fragmentation
export TASK_QUEUE_ENABLE=1 # operators are launched by a second thread
export HCCL_OP_EXPANSION_MODE=AIV # collectives are scheduled on vector cores
export HCCL_BUFFSIZE=600 # MiB of a buffer of HCCL, as in the guides for decode

# Port and engine_id are those of the instance; the rest is as planned, for both roles.
kv_transfer='{"kv_connector": "MooncakeConnectorV1", "kv_role": "kv_consumer", "kv_port": "'"$KV_PORT"'", "engine_id": "'"$ENGINE_ID"'",'
kv_transfer+=' "kv_connector_extra_config": {"prefill": {"dp_size": 4, "tp_size": 4}, "decode": {"dp_size": 16, "tp_size": 2}}}'

exec vllm serve "$MODEL" \
    --host 0.0.0.0 \
    --port "$2" \
    --data-parallel-size "$3" \
    --data-parallel-rank "$4" \
    --data-parallel-address "$5" \
    --data-parallel-rpc-port "$6" \
    --tensor-parallel-size "$7" \
    --enable-expert-parallel \
    --max-model-len 142080 \
    --max-num-seqs 29 \
    --max-num-batched-tokens 58 \
    --block-size 128 \
    --gpu-memory-utilization 0.92 \
    --quantization ascend \
    --no-enable-prefix-caching \
    --speculative-config '{"method": "mtp", "num_speculative_tokens": 1}' \
    --compilation-config '{"cudagraph_mode": "FULL_DECODE_ONLY", "cudagraph_capture_sizes": [2, 4, 8, 16, 32, 48, 58]}' \
    --additional-config '{"recompute_scheduler_enable": true}' \
    --seed 1024 \
    --served-model-name deepseek_v3 \
    --kv-transfer-config "$kv_transfer"
