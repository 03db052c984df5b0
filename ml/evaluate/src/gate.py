"""The promotion gate: decides from hold-out scores alone whether a candidate may be registered and deployed."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Registered:
    """The model version now registered.

    Attributes:
        version: its version in the registry.
        roc_auc: its ROC AUC, or None when it could neither be measured nor read from its tags.
        basis: where roc_auc comes from, as a reader is told it.
    """

    version: str
    roc_auc: float | None
    basis: str


@dataclass(frozen=True)
class Decision:
    """Whether to deploy, and the sentence that says why."""

    deploy: bool
    reason: str


def decide(roc_auc: float, threshold: float, registered: Registered | None, min_improvement: float) -> Decision:
    """Accepts a candidate that reaches the threshold and beats the registered model by `min_improvement` or more."""
    if roc_auc < threshold:
        return Decision(False, f"ROC AUC {roc_auc:.4f} is below the threshold {threshold:.4f}")
    reached = f"ROC AUC {roc_auc:.4f} reaches the threshold {threshold:.4f}"
    if registered is None:
        return Decision(True, f"{reached}, and no model is registered yet")
    if registered.roc_auc is None:
        return Decision(True, f"{reached}; version {registered.version} cannot be compared: {registered.basis}")
    gain = roc_auc - registered.roc_auc
    compared = f"version {registered.version} has {registered.roc_auc:.4f} ({registered.basis})"
    asked = f"the {min_improvement:.4f} asked for"
    if gain < min_improvement:
        return Decision(False, f"{reached}, but {compared}: {gain:+.4f} is less than {asked}")
    return Decision(True, f"{reached}, and {compared}: {gain:+.4f} is at least {asked}")
