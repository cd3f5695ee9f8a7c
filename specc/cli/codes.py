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
    FAILED = 1, "an expect fails, --check or --diff found what would change, or --fail-on holds"
    WRONG_INPUT = 2, "the spec, a file or the command line is wrong, or a file cannot be written"
    INFEASIBLE = 3, "no layout of a study meets its limits, or its objectives are missed"
    FAULT = 70, "a bug in specc; the message names the file of its report"
    WORKER_LOST = 71, "workers were killed, have another version, or cannot be reached"
    HUNG_UP = 129, "the terminal was closed (SIGHUP)"
    INTERRUPTED = 130, "interrupted (Ctrl-C, SIGINT)"
    READER_GONE = 141, "the reader of the output has ended (specc … | head)"
    TERMINATED = 143, "terminated (SIGTERM)"
