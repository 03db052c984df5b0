"""The promotion gate: decides from the hold-out scores whether a candidate may be registered and deployed."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Registered:
    """The registered model version.

    Attributes:
        version: Version in the registry.
        roc_auc: ROC AUC, or None if it could not be measured or read from the tags.
        basis: Origin of `roc_auc`, as part of the reason.
    """

    version: str
    roc_auc: float | None
    basis: str


@dataclass(frozen=True)
class Decision:
    """Whether to deploy, and the reason as a sentence."""

    deploy: bool
    reason: str


def decide(roc_auc: float, threshold: float, registered: Registered | None, min_improvement: float) -> Decision:
    """Accept a candidate that reaches the threshold and beats the registered model by at least `min_improvement`."""
    if roc_auc < threshold:
        return Decision(False, f"ROC AUC {roc_auc:.4f} is below the threshold {threshold:.4f}")
    reached = f"ROC AUC {roc_auc:.4f} reaches the threshold {threshold:.4f}"
    if registered is None:
        return Decision(True, f"{reached}, and no model is registered yet")
    if registered.roc_auc is None:
        return Decision(True, f"{reached}; version {registered.version} cannot be compared: {registered.basis}")
    gain = roc_auc - registered.roc_auc
    compared = f"version {registered.version} has {registered.roc_auc:.4f} ({registered.basis})"
    required = f"the required {min_improvement:.4f}"
    if gain < min_improvement:
        return Decision(False, f"{reached}, but {compared}: the gain {gain:+.4f} is less than {required}")
    return Decision(True, f"{reached}, and {compared}: the gain {gain:+.4f} is at least {required}")
