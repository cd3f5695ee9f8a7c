"""The usual steps of continuous batching, in one loop over local variables.

A step is usual if it takes in one whole prompt beside all that decodes, or if a batch only ages.
Nearly all steps are. What else there is (a prompt in chunks, several at a time, blocks that run
out, prompts that share prefixes) the engine does step by step as it always does; both keep the same
books, to the last digit.
"""

import heapq
from bisect import bisect_left
from typing import TYPE_CHECKING

from specc.simulation.blocks import BlockCache
from specc.simulation.engine.base import LONGEST_RUN, NEVER
from specc.units import Tokens

if TYPE_CHECKING:
    from specc.simulation.engine.continuous import Continuous

PLACE_BITS = 32
PLACES = (1 << PLACE_BITS) - 1


def run_usual_steps(engine: "Continuous", until: int) -> None:  # noqa: PLR0912, PLR0915
    """Run the steps that begin before `until`, up to the first that is not usual.

    One long function, as a call takes as long as half a step.
    """
    ready, now = engine.ready, engine.now
    if not ready or engine._begun or engine._fresh or engine._token_at != now:
        return
    if engine._again and engine._overtakes and engine.cache is not None:
        return  # what they find of their own depends on when blocks are taken
    lives, settings, residues = engine.lives, engine.settings, engine._residues
    arrival, known, cached, output = lives.arrival, lives.known, lives.cached, lives.output
    prompt, start, first, finish = lives.input, lives.start, lives.first, lives.finish
    generated, hits = lives.generated, lives.hits
    pending, waiting, running = engine._pending, engine.waiting, engine.running
    heap, ends, joined, began = engine._finishing, engine._ends, engine._joined, engine._began
    cache, plans, record = engine.cache, engine._plans, engine._runs.extend
    decode, mixed = engine.costs.decode, engine.costs.mixed
    block, budget, capacity = settings.block, settings.budget, settings.capacity
    limit, admission = engine._limit, settings.admission
    turn, free, offset = engine.turn, engine._free, engine._offset
    overtakes = engine._overtakes
    ahead, seen, leaving, noted = engine._ahead, engine._seen, engine._leaving, engine.ended
    push, pop = heapq.heappush, heapq.heappop
    came = arrival[pending[0]] if pending else NEVER
    while now < until and ready:
        while came <= seen:
            waiting.append(pending.popleft())
            came = arrival[pending[0]] if pending else NEVER
        places = limit - len(running)
        if waiting and places > 0:
            # One whole prompt comes in.
            request = waiting[0]
            plan = plans.get(ready)
            if plan is None or lives.transferred[request] or lives.preemptions[request]:
                break
            if places > 1 and admission > 1 and len(waiting) > 1:
                break
            decodes, left = plan
            done = cached[request]
            query = known[request] - done
            grown = residues[turn % block]
            used = grown - (-known[request] // block)
            if not decodes or query > left or query > budget or used > free:
                break
            context = offset // ready + turn
            took = mixed(query, query * done + query * (query + 1) // 2, ready, context)
            if took > LONGEST_RUN:
                break
            waiting.popleft()
            running[request] = None
            start[request] = seen
            hits[request] += done
            free -= used
            if cache is not None and cache.idle > free:
                cache.trim(free)
            if leaving:
                free += _let_go(leaving, running, cache, block)
            record((now, 1, ready, context, query, took, len(waiting), capacity - free))
            turn += 1
            final = took
        else:
            # The batch ages until a sequence ends, or the next request may start.
            request, once = -1, False
            place = turn % block
            grown = residues[place]
            again = waiting and cache is not None and lives.preemptions[waiting[0]]
            if grown > free or again:
                break
            if leaving:
                if cache is not None and cache.idle > free - grown:
                    cache.trim(free - grown)
                free += _let_go(leaving, running, cache, block)
                places = limit - len(running)
                once = bool(waiting)
            while ends.get(joined[heap[0] & PLACES]) != heap[0]:
                pop(heap)
            sums, context = decode(ready), offset // ready + turn
            last = context + 1 if once else context + (heap[0] >> PLACE_BITS) - turn
            passed = sums[context] - now
            if came < until and places > 0 and (overtakes or not waiting):
                known_at = bisect_left(sums, came + passed, context, last) + ahead
                last = min(last, known_at)
            if until < NEVER:
                last = bisect_left(sums, until + passed, context, last)
            steps = last - context
            if steps <= 1:
                steps, last = 1, context + 1
            else:
                rounds, rest = divmod(steps, block)
                grown = rounds * ready + sum(residues[place : place + rest])
                if place + rest > block:
                    grown += sum(residues[: place + rest - block])
            took = sums[last] - sums[context]
            final = took if steps == 1 else sums[last] - sums[last - 1]
            if grown > free or took > LONGEST_RUN:
                break
            free -= grown
            record((now, steps, ready, context, 0, took, len(waiting), capacity - free))
            turn += steps
        now += took
        seen = now - final if ahead else now
        if cache is not None and cache.idle > free:
            cache.trim(free)
        after = turn + 1 << PLACE_BITS
        while heap and heap[0] < after:
            end = pop(heap)
            ended = joined[end & PLACES]
            if ends.get(ended) == end:
                del ends[ended]
                since = began.pop(ended)
                offset -= known[ended] + 1 - since
                residues[(since - known[ended]) % block] -= 1
                ready -= 1
                finish[ended] = now
                if noted is not None:
                    noted.append(ended)
                held = prompt[ended] + output[ended] - 1
                if ahead:
                    leaving[ended] = held
                    continue
                del running[ended]
                free -= -held // block
                if cache is not None:
                    cache.release(ended, 0, held // block, keep=False)
        if request >= 0:
            generated[request] = 1
            first[request] = now
            if output[request] == 1:
                finish[request] = now
                if noted is not None:
                    noted.append(request)
                if ahead:
                    leaving[request] = known[request]
                    continue
                free -= -known[request] // block
                if cache is not None:
                    cache.release(request, 0, known[request] // block, keep=False)
                del running[request]
                continue
            end = turn + output[request] - 1 << PLACE_BITS | len(joined)
            joined.append(request)
            ends[request] = end
            began[request] = turn
            push(heap, end)
            offset += known[request] + 1 - turn
            residues[(turn - known[request]) % block] += 1
            ready += 1
    engine.now, engine._seen, engine._token_at = now, seen, now
    engine.turn, engine.ready, engine._free, engine._offset = turn, ready, free, offset


def _let_go(
    leaving: dict[int, Tokens], running: dict[int, None], cache: BlockCache | None, block: Tokens
) -> int:
    """Let what ended before this step go, as the engine does to settle; return its blocks."""
    blocks = 0
    for request, held in leaving.items():
        blocks -= -held // block
        if cache is not None:
            cache.release(request, 0, held // block, keep=False)
        del running[request]
    leaving.clear()
    return blocks
