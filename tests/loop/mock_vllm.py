"""A server that stands in for `vllm serve`: continuous batching with given step times.

It takes the flags that a launch script gives vLLM, and speaks /v1/completions with streaming. A
step decodes all running sequences, and takes in prompts up to the token budget; how long it lasts
is looked up in the table of MOCK_STEPS: JSON with `tokens`, `batch`, and `seconds` of each pair.
Every request waits MOCK_REQUEST_TIME seconds before it reaches the engine.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections import deque


class Request:
    def __init__(self, prompt: int, output: int) -> None:
        self.left, self.output, self.sent = prompt, output, 0
        self.tokens: asyncio.Queue[bool] = asyncio.Queue()


class Engine:
    def __init__(self, steps: dict, sequences: int, budget: int) -> None:
        self.steps, self.sequences, self.budget = steps, sequences, budget
        self.waiting: deque[Request] = deque()
        self.running: list[Request] = []
        self.wake = asyncio.Event()

    def add(self, request: Request) -> None:
        self.waiting.append(request)
        self.wake.set()

    async def run(self) -> None:
        end = time.perf_counter()
        while True:
            if not self.waiting and not self.running:
                self.wake.clear()
                await self.wake.wait()
                end = time.perf_counter()
            decoding = [r for r in self.running if not r.left]
            room, prompts = self.budget - len(decoding), 0
            taken: list[Request] = []
            for request in [r for r in self.running if r.left]:
                taken.append(request)
            while self.waiting and len(self.running) < self.sequences and room > prompts:
                request = self.waiting.popleft()
                self.running.append(request)
                taken.append(request)
                prompts += request.left
            done = []
            left = room
            for request in taken:
                part = min(left, request.left)
                request.left -= part
                left -= part
                if not request.left:
                    done.append(request)
            end = max(end, time.perf_counter() - 0.002) + self.time(room - left, len(decoding))
            await asyncio.sleep(max(0.0, end - time.perf_counter()))
            for request in (*decoding, *done):
                request.sent += 1
                last = request.sent >= request.output
                request.tokens.put_nowait(last)
                if last:
                    self.running.remove(request)

    def time(self, tokens: int, batch: int) -> float:
        """Interpolate in the table, linearly in both."""
        rows = self.steps["seconds"]
        i, x = _place(self.steps["tokens"], tokens)
        j, y = _place(self.steps["batch"], batch)
        low = rows[i][j] * (1 - y) + rows[i][j + 1] * y
        high = rows[i + 1][j] * (1 - y) + rows[i + 1][j + 1] * y
        return low * (1 - x) + high * x


def _place(axis: list[int], value: int) -> tuple[int, float]:
    place = max(i for i in range(len(axis) - 1) if axis[i] <= value or i == 0)
    return place, min(1.0, (value - axis[place]) / (axis[place + 1] - axis[place]))


async def serve(options: argparse.Namespace) -> None:
    with open(os.environ["MOCK_STEPS"], encoding="utf-8") as file:
        steps = json.load(file)
    engine = Engine(steps, options.max_num_seqs, options.max_num_batched_tokens)
    delay = float(os.environ["MOCK_REQUEST_TIME"])
    running = asyncio.create_task(engine.run())

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await _request(head, reader, writer, engine, delay, options)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", options.port)
    async with server:
        await asyncio.gather(running, server.serve_forever())


async def _request(head, reader, writer, engine, delay, options) -> None:
    lines = head.decode().split("\r\n")
    path = lines[0].split()[1]
    fields = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines[1:])}
    body = await reader.readexactly(int(fields.get("content-length", "0")))
    if not path.endswith("/completions"):
        text = json.dumps({"object": "list", "data": [{"id": options.served_model_name}]}).encode()
        if path.startswith("/metrics"):
            text = b""
        kind = b"application/json" if text else b"text/plain"
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: " + kind)
        writer.write(b"\r\nContent-Length: %d\r\n\r\n" % len(text) + text)
        await writer.drain()
        return
    asked = json.loads(body)
    prompt = asked["prompt"]
    tokens = len((prompt if isinstance(prompt, str) else prompt[0]).encode())
    await asyncio.sleep(delay)
    request = Request(tokens, asked.get("max_tokens") or asked.get("max_completion_tokens") or 16)
    engine.add(request)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
    writer.write(b"Transfer-Encoding: chunked\r\n\r\n")
    for _ in range(request.output):
        await request.tokens.get()
        _event(writer, {"choices": [{"index": 0, "text": "a"}]})
        await writer.drain()
    usage = {"prompt_tokens": tokens, "completion_tokens": request.output}
    _event(writer, {"choices": [], "usage": usage | {"total_tokens": sum(usage.values())}})
    _chunk(writer, b"data: [DONE]\n\n")
    _chunk(writer, b"")
    await writer.drain()


def _event(writer: asyncio.StreamWriter, data: dict) -> None:
    whole = {"id": "0", "object": "text_completion", "model": "mock", **data}
    _chunk(writer, b"data: " + json.dumps(whole).encode() + b"\n\n")


def _chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(b"%x\r\n" % len(data) + data + b"\r\n")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("model")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--max-num-seqs", type=int, required=True)
    parser.add_argument("--max-num-batched-tokens", type=int, required=True)
    parser.add_argument("--served-model-name", required=True)
    parser.add_argument("--no-async-scheduling", action="store_true")
    options, _ = parser.parse_known_args()
    if not options.no_async_scheduling:
        sys.exit("this stand-in composes a step when the one before has ended")
    asyncio.run(serve(options))


if __name__ == "__main__":
    main()
