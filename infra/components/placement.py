"""Where a component's resources are put, what they are called and what they all carry."""

from dataclasses import dataclass

import pulumi

from infra.naming import Names


@dataclass(frozen=True, kw_only=True)
class Placement:
    """What every component needs to know of its surroundings.

    Attributes:
        resource_group: name of the resource group; an output of it, so that everything in it comes after it.
        location: Azure region, short form.
        names: what each resource of the stack is called.
        tags: on every resource that can carry tags.
        protect: whether resources that hold data refuse deletion and replacement.
    """

    resource_group: pulumi.Input[str]
    location: str
    names: Names
    tags: dict[str, str]
    protect: bool
