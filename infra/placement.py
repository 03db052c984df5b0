"""Where a component's resources are put and what they all carry."""

from dataclasses import dataclass

import pulumi


@dataclass(frozen=True)
class Placement:
    """What every component needs to know of its surroundings.

    Attributes:
        resource_group: name of the resource group; an output of it, so that everything in it comes after it.
        location: Azure region, short form.
        tags: on every resource that can carry tags.
        protect: whether resources that hold data refuse deletion and replacement.
    """

    resource_group: pulumi.Input[str]
    location: str
    tags: dict[str, str]
    protect: bool
