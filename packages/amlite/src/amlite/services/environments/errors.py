"""Why an environment cannot be used."""


class UnusableEnvironment(Exception):  # noqa: N818 - a state of the environment, said to the user as such
    """The environment cannot be built or run on this machine; the message names the cause and the fix."""
