#!/usr/bin/env bash
# Starts the ranks on one server of an instance that prefills: TP=4 | PP=1 | DP=4 | EP=16
# Written by specc 0.1.0 from deepseek-v3-pd-ratio.spec, study ratio, configuration 1. README.md says what is assumed.
set -euo pipefail

die() {
    echo "prefill.sh: $*" >&2
    exit 2
}

# Usage: NODE_IP=… NIC=… MODEL=… ./prefill.sh INSTANCE, from 0 to 2

INSTANCE="${1:-0}"
[[ "$INSTANCE" =~ ^[0-9]+$ && "$INSTANCE" -lt 3 ]] || die "INSTANCE is '$INSTANCE': from 0 to 2"
MODEL="${MODEL:-}" # the folder of the weights on this server
[ -n "$MODEL" ] || die "set MODEL to the folder of the weights"
[ -d "$MODEL" ] || die "MODEL is '$MODEL', which is no folder"

NODE_IP="${NODE_IP:-}" # the address of this server that the others reach
NIC="${NIC:-}"         # the network interface that has it
[ -n "$NODE_IP" ] || die "set NODE_IP to the address of this server"
[ -n "$NIC" ] || die "set NIC to the network interface of $NODE_IP"
[ -e "/sys/class/net/$NIC" ] || die "NIC is '$NIC', which is no interface of this server"

NODE=0
NODE0_IP="$NODE_IP"
PORT="${PORT:-7100}" # of the first rank; the others follow it
RPC_PORT="${RPC_PORT:-12321}"
LOGS="${LOGS:-logs}" # a log for each rank
slot=0
PORT=$((PORT + slot * 4))
RPC_PORT=$((RPC_PORT + slot * 10))
export ENGINE_ID="$INSTANCE"
export KV_PORT="${KV_PORT:-$((36000 + INSTANCE * 100))}" # beyond the ports that Mooncake takes at random
export MODEL NODE_IP NIC

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
mkdir -p "$LOGS"
trap 'jobs -p | xargs -r kill 2> /dev/null || true' EXIT # one rank that ends takes all others with it
for ((local = 0; local < 4; local++)); do
    rank=$((NODE * 4 + local))
    first=$((slot * 16 + local * 4))
    devices="$(seq -s, "$first" $((first + 3)))"
    bash "$here/prefill-rank.sh" "$devices" $((PORT + local)) 4 "$rank" "$NODE0_IP" "$RPC_PORT" 4 \
        > "$LOGS/prefill-$INSTANCE-rank-$rank.log" 2>&1 &
    echo "rank $rank on devices $devices, port $((PORT + local))"
done
wait -n || true
die "a rank has ended: see $LOGS"
