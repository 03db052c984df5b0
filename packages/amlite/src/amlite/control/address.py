"""Where amlite answers its own command line and providers."""

HOST = "control.amlite.internal"
AUDIENCE = f"https://{HOST}"
ACTION = "amlite/control/action"
"""The permission that it takes, which roles that grant everything grant."""
