#!/usr/bin/env bash
# Starts the proxy that sends a request to an instance that prefills, then to one that decodes.
# Written by specc 0.1.0 from deepseek-v3-pd-ratio.spec, study ratio, configuration 1. README.md says what is assumed.
set -euo pipefail

die() {
    echo "proxy.sh: $*" >&2
    exit 2
}

# Usage: PREFILL_IPS="…" DECODE_IPS="…" PROXY=… ./proxy.sh

# Addresses of the servers, instance by instance: 3 for prefill, 12 for decode. A server with
# several instances stands there once for each.
PREFILL_IPS="${PREFILL_IPS:-}"
DECODE_IPS="${DECODE_IPS:-}"
PROXY="${PROXY:-}" # examples/disaggregated_prefill_v1/load_balance_proxy_server_example.py of vllm-ascend v0.23.0
HOST="${HOST:-0.0.0.0}"
PORT="${PORT:-8000}"
PREFILL_PORT="${PREFILL_PORT:-7100}" # as PORT of prefill.sh
DECODE_PORT="${DECODE_PORT:-7200}"   # as PORT of decode.sh

read -r -a prefill_ips <<< "$PREFILL_IPS"
read -r -a decode_ips <<< "$DECODE_IPS"
[ "${#prefill_ips[@]}" -eq 3 ] || die "set PREFILL_IPS to 3 addresses"
[ "${#decode_ips[@]}" -eq 12 ] || die "set DECODE_IPS to 12 addresses"
[ -f "$PROXY" ] || die "set PROXY to the path of examples/disaggregated_prefill_v1/load_balance_proxy_server_example.py"

# Each rank is a server of its own for the proxy.
prefill_hosts=() prefill_ports=() decode_hosts=() decode_ports=()
for i in "${!prefill_ips[@]}"; do
    slot=$((i / 1 % 1))
    for ((local = 0; local < 4; local++)); do
        prefill_hosts+=("${prefill_ips[i]}")
        prefill_ports+=("$((PREFILL_PORT + slot * 4 + local))")
    done
done
for i in "${!decode_ips[@]}"; do
    slot=$((i / 2 % 1))
    for ((local = 0; local < 8; local++)); do
        decode_hosts+=("${decode_ips[i]}")
        decode_ports+=("$((DECODE_PORT + slot * 8 + local))")
    done
done

exec python3 "$PROXY" --host "$HOST" --port "$PORT" \
    --prefiller-hosts "${prefill_hosts[@]}" --prefiller-ports "${prefill_ports[@]}" \
    --decoder-hosts "${decode_hosts[@]}" --decoder-ports "${decode_ports[@]}"
