"""The error that callers of the runner see."""


class RunnerError(Exception):
    """A pipeline cannot run, or a step failed. The message says what to do."""
