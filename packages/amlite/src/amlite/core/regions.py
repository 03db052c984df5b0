"""Azure's public regions, which are a part of host names, of addresses and of resource ids.

Source: `az account list-locations`.
"""

from __future__ import annotations

from amlite.core import wire
from amlite.core.errors import AzureError

TITLES = {
    "australiacentral": "Australia Central",
    "australiacentral2": "Australia Central 2",
    "australiaeast": "Australia East",
    "australiasoutheast": "Australia Southeast",
    "austriaeast": "Austria East",
    "belgiumcentral": "Belgium Central",
    "brazilsouth": "Brazil South",
    "brazilsoutheast": "Brazil Southeast",
    "canadacentral": "Canada Central",
    "canadaeast": "Canada East",
    "centralindia": "Central India",
    "centralus": "Central US",
    "centraluseuap": "Central US EUAP",
    "chilecentral": "Chile Central",
    "eastasia": "East Asia",
    "eastus": "East US",
    "eastus2": "East US 2",
    "eastus2euap": "East US 2 EUAP",
    "francecentral": "France Central",
    "francesouth": "France South",
    "germanynorth": "Germany North",
    "germanywestcentral": "Germany West Central",
    "indonesiacentral": "Indonesia Central",
    "israelcentral": "Israel Central",
    "italynorth": "Italy North",
    "japaneast": "Japan East",
    "japanwest": "Japan West",
    "jioindiacentral": "Jio India Central",
    "jioindiawest": "Jio India West",
    "koreacentral": "Korea Central",
    "koreasouth": "Korea South",
    "malaysiawest": "Malaysia West",
    "mexicocentral": "Mexico Central",
    "newzealandnorth": "New Zealand North",
    "northcentralus": "North Central US",
    "northeurope": "North Europe",
    "norwayeast": "Norway East",
    "norwaywest": "Norway West",
    "polandcentral": "Poland Central",
    "qatarcentral": "Qatar Central",
    "southafricanorth": "South Africa North",
    "southafricawest": "South Africa West",
    "southcentralus": "South Central US",
    "southeastasia": "Southeast Asia",
    "southindia": "South India",
    "spaincentral": "Spain Central",
    "swedencentral": "Sweden Central",
    "swedensouth": "Sweden South",
    "switzerlandnorth": "Switzerland North",
    "switzerlandwest": "Switzerland West",
    "uaecentral": "UAE Central",
    "uaenorth": "UAE North",
    "uksouth": "UK South",
    "ukwest": "UK West",
    "westcentralus": "West Central US",
    "westeurope": "West Europe",
    "westindia": "West India",
    "westus": "West US",
    "westus2": "West US 2",
    "westus3": "West US 3",
}
"""The regions by their names, with the names that people read."""
_GLOBAL = "global"
_LISTED = ",".join(TITLES)
_SHOWN = 60


def require(location: str, kind: str) -> None:
    """Raise ARM's AzureError 400 for a location that is no region, in either of its forms, and not `global`.

    `kind` is the type of the resource.
    """
    if wire.region(location) not in (*TITLES, _GLOBAL):
        raise AzureError(
            400,
            "LocationNotAvailableForResourceType",
            f"The provided location '{location[:_SHOWN]}' is not available for resource type '{kind}'. List of "
            f"available regions for the resource type is '{_LISTED}'.",
        )


def require_of_group(location: str) -> None:
    """Raise ARM's AzureError 400 for the location of a resource group that is no region."""
    if wire.region(location) not in TITLES:
        raise AzureError(
            400,
            "LocationNotAvailableForResourceGroup",
            f"The provided location '{location[:_SHOWN]}' is not available for resource group. List of available "
            f"regions is '{_LISTED}'.",
        )
