"""Turns a trace into the JSON lines that vllm bench serve and aiperf replay.

Usage: python3 requests.py TRACE > requests.jsonl

A replay needs names of blocks (hash_ids): vllm bench serve makes the prompt of a request from
them, and sends none where they are missing.

Written by specc 0.1.0 from conversation-trace.spec, study instances_for_the_hour.
"""

import csv
import datetime
import json
import sys

BLOCK = 512  # tokens of a block: --timed-trace-chunk-hash-size
SPEED = 1.0  # factor by which the plan replays it faster
MOST = 19366  # requests that the plan simulates
COLUMNS = (  # of time, prompt and output, and the seconds of a unit of time
    ("arrived_at", "num_prefill_tokens", "num_decode_tokens", 1.0),
    ("timestamp", "input_length", "output_length", 0.001),
    ("Timestamp", "Request tokens", "Response tokens", 1.0),
    ("TIMESTAMP", "ContextTokens", "GeneratedTokens", None),
)


def rows(path):
    """Return the rows of a trace: JSON lines, or a table with a header."""
    with open(path, encoding="utf-8") as file:
        if path.endswith((".jsonl", ".json")):
            return [json.loads(line) for line in file if line.strip()]
        return list(csv.DictReader(file))


def seconds(value, unit):
    """Return a time of a trace in seconds; unit None: it is a date."""
    if unit is None:
        return datetime.datetime.fromisoformat(str(value)[:26]).timestamp()
    return float(value) * unit


def main(path):
    """Print a line for each request."""
    found = rows(path)
    time, prompt, output, unit = next(names for names in COLUMNS if names[0] in found[0])
    kept = [row for row in found if int(float(row[output])) > 0]
    kept.sort(key=lambda row: seconds(row[time], unit))
    start = seconds(kept[0][time], unit)
    fresh = 0
    for row in kept[:MOST]:
        tokens = int(float(row[prompt]))
        ids = row.get("hash_ids")
        if not ids:
            count = -(-tokens // BLOCK)
            ids, fresh = list(range(fresh, fresh + count)), fresh + count
        request = {
            "timestamp": round((seconds(row[time], unit) - start) / SPEED, 6),
            "input_length": tokens,
            "output_length": int(float(row[output])),
            "hash_ids": ids,
        }
        print(json.dumps(request))


main(sys.argv[1])
