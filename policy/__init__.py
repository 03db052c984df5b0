"""Rules for resources and assets. `pulumi --policy-pack policy` and `release` run the same ones.

The rules see a neutral view of a resource (`subject.py`). Two adapters build it: `__main__.py` from what the Pulumi
engine sends to a policy pack, and `release/policy/plan.py` from a preview.
"""
