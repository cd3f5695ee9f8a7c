#!/usr/bin/env bash
# Starts the ranks on one server of an instance that decodes: TP=2 | PP=1 | DP=16 | EP=32 | MTP=1
# Written by specc 0.1.0 from deepseek-v3-pd-ratio.spec, study ratio, configuration 1. README.md says what is assumed.
set -euo pipefail

die() {
    echo "decode.sh: $*" >&2
    exit 2
}

# Usage: NODE_IP=… NIC=… MODEL=… NODE=… NODE0_IP=… ./decode.sh INSTANCE, from 0 to 5

INSTANCE="${1:-0}"
[[ "$INSTANCE" =~ ^[0-9]+$ && "$INSTANCE" -lt 6 ]] || die "INSTANCE is '$INSTANCE': from 0 to 5"
MODEL="${MODEL:-}" # the folder of the weights on this server
[ -n "$MODEL" ] || die "set MODEL to the folder of the weights"
[ -d "$MODEL" ] || die "MODEL is '$MODEL', which is no folder"

NODE_IP="${NODE_IP:-}" # the address of this server that the others reach
NIC="${NIC:-}"         # the network interface that has it
[ -n "$NODE_IP" ] || die "set NODE_IP to the address of this server"
[ -n "$NIC" ] || die "set NIC to the network interface of $NODE_IP"
[ -e "/sys/class/net/$NIC" ] || die "NIC is '$NIC', which is no interface of this server"

NODE="${NODE:-}"         # of the 2 servers of this instance, from 0
NODE0_IP="${NODE0_IP:-}" # the address of server 0 of this instance
[[ "$NODE" =~ ^[0-9]+$ && "$NODE" -lt 2 ]] || die "set NODE to a number from 0 to 1"
[ -n "$NODE0_IP" ] || die "set NODE0_IP to the address of server 0 of this instance"
PORT="${PORT:-7200}" # of the first rank; the others follow it
RPC_PORT="${RPC_PORT:-12322}"
LOGS="${LOGS:-logs}" # a log for each rank
slot=0
PORT=$((PORT + slot * 8))
RPC_PORT=$((RPC_PORT + slot * 10))
export ENGINE_ID=$((3 + INSTANCE)) # after those that prefill
export KV_PORT="${KV_PORT:-$((37000 + INSTANCE * 100))}" # beyond the ports that Mooncake takes at random
export MODEL NODE_IP NIC

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
mkdir -p "$LOGS"
trap 'jobs -p | xargs -r kill 2> /dev/null || true' EXIT # one rank that ends takes all others with it
for ((local = 0; local < 8; local++)); do
    rank=$((NODE * 8 + local))
    first=$((slot * 32 + local * 2))
    devices="$(seq -s, "$first" $((first + 1)))"
    bash "$here/decode-rank.sh" "$devices" $((PORT + local)) 16 "$rank" "$NODE0_IP" "$RPC_PORT" 2 \
        > "$LOGS/decode-$INSTANCE-rank-$rank.log" 2>&1 &
    echo "rank $rank on devices $devices, port $((PORT + local))"
done
wait -n || true
die "a rank has ended: see $LOGS"
