"""The rules, by concern. A rule is a function with the decorator `rule`."""

from policy.rule import Rule
from policy.rules import access, assets, compute, data, diagnostics, endpoints, network, plain_secrets, tags, unchecked

_MODULES = (network, access, data, diagnostics, tags, compute, assets, endpoints, plain_secrets, unchecked)

RULES: dict[str, Rule] = {
    each.id: each for module in _MODULES for each in vars(module).values() if isinstance(each, Rule)
}
"""Every rule by its id, in the order of the documentation."""
