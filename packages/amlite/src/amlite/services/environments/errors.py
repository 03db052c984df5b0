"""The error for unusable environments."""


class UnusableEnvironment(Exception):  # noqa: N818 - a state of the environment, said to the user as such
    """The environment cannot be built or run on this machine. The message names the cause and the fix."""


class UnreachableImage(UnusableEnvironment):
    """No registry provides the image, or no Docker engine can run it."""
