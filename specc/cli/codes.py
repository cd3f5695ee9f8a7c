"""Exit codes: what each tells a script."""

from enum import IntEnum


class Exit(IntEnum):
    """The exit code of a command, and what it means."""

    text: str

    def __new__(cls, value: int, text: str) -> "Exit":
        """Make a member of its code and what it means."""
        member = int.__new__(cls, value)
        member._value_ = value
        member.text = text
        return member

    OK = 0, "fine"
    FAILED = 1, "an expect fails, or --check or --diff found what would change"
    WRONG_INPUT = 2, "the spec, a file or the command line is wrong, or a file cannot be written"
    INFEASIBLE = 3, "a study has no layout within its limits, or misses its objectives"
    FAULT = 70, "a fault of specc; the message says where its report lies"
    WORKER_LOST = 71, "the system ended a process of specc, most often for want of memory"
    HUNG_UP = 129, "the terminal was closed (SIGHUP)"
    INTERRUPTED = 130, "interrupted (Ctrl-C, SIGINT)"
    READER_GONE = 141, "nobody reads the output any more (specc … | head)"
    TERMINATED = 143, "terminated (SIGTERM)"
