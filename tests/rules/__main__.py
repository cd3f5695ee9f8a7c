"""Try rules with many plans: `python -m tests.rules [PLANS] [--seed N] [--rule NAME ...]`."""

import argparse
import random
import sys
import time

from tests.rules.rules import RULES


def main() -> int:
    """Print what breaks, and how many plans were tried."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("plans", nargs="?", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rule", action="append", help="only these")
    options = parser.parse_args()
    broken = 0
    for rule in RULES:
        if options.rule and rule.__name__ not in options.rule:
            continue
        start, found = time.process_time(), []
        for number in range(options.plans):
            case = rule(random.Random(f"{rule.__name__} {options.seed} {number}"))
            if case is not None:
                found.append(case)
                print(f"#{number} {case.rule}: {case.seen[0]:.6g} -> {case.seen[1]:.6g}")
                print(case.before.text, case.after.text, sep="\n--- becomes\n")
        broken += len(found)
        seconds = time.process_time() - start
        print(
            f"{rule.__name__}: {len(found)} of {options.plans} broken, {seconds:.0f} s", flush=True
        )
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
