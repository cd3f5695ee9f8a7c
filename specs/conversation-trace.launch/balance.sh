#!/usr/bin/env bash
# Starts an nginx in front of the 3 instances.
# Written by specc 0.1.0 from conversation-trace.spec, study instances_for_the_hour, configuration 1. README.md says what is assumed.
set -euo pipefail

die() {
    echo "balance.sh: $*" >&2
    exit 2
}

# Usage: SERVERS="10.0.0.1:8000 10.0.0.1:8001 …" ./balance.sh

SERVERS="${SERVERS:-}" # address and port of each instance
PORT="${PORT:-9000}"   # where clients send their requests
read -r -a servers <<< "$SERVERS"
[ "${#servers[@]}" -eq 3 ] || die "set SERVERS to 3 times ADDRESS:PORT"
command -v nginx > /dev/null || die "there is no nginx here"

configuration="$(mktemp)"
{
    echo 'worker_processes auto; daemon off; error_log stderr; pid /tmp/conversation-trace-instances-for-the-hou-balance.pid;'
    echo 'events { worker_connections 65536; }'
    echo 'http { access_log off; upstream engines {'
    echo '    least_conn; # the plan sends a request to the engine with the least load'
    printf '    server %s;\n' "${servers[@]}"
    echo "}"
    echo "server { listen $PORT; location / {"
    echo '    proxy_pass http://engines; proxy_http_version 1.1; proxy_set_header Connection "";'
    echo '    proxy_buffering off; proxy_read_timeout 3600s; client_max_body_size 0;'
    echo '} } }'
} > "$configuration"
exec nginx -c "$configuration"
