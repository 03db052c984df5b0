"""The Azure Machine Learning registry that shares assets with other workspaces, and its role assignments."""

from dataclasses import dataclass

import pulumi
from pulumi_azure_native import machinelearningservices as ml

from infra.components.access import PrincipalType, assigned
from infra.components.identities import Principals
from infra.components.placement import Placement
from infra.roles.definitions import Role
from infra.roles.grants import GRANTS, Scope
from infra.settings.network import NetworkSettings
from infra.settings.sharing import SharingSettings


@dataclass(frozen=True, kw_only=True)
class SharingArgs:
    """Inputs of `Sharing`. `principals` are the identities that use shared assets."""

    placement: Placement
    subscription_id: str
    settings: SharingSettings
    network: NetworkSettings
    principals: Principals


class Sharing(pulumi.ComponentResource):
    """A registry that this or another stack creates, and the roles of this stack's identities on it.

    Azure creates the registry's storage account and container registry in a managed resource group.
    Outputs: `registry` (its name).
    """

    registry: pulumi.Output[str]

    def __init__(self, name: str, args: SharingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("azureml-platform:infra:Sharing", name, None, opts)
        settings = args.settings
        if settings.registry is None:
            raise ValueError("sharing.registry is not set")
        scope: pulumi.Output[str] | None = None
        subscription = settings.subscription_id or args.subscription_id
        self.registry = pulumi.Output.from_input(settings.registry)
        if settings.create:
            registry = self._registry(name, settings.registry, args)
            scope, self.registry = registry.id, registry.name
        elif settings.resource_group:
            group = f"/subscriptions/{subscription}/resourceGroups/{settings.resource_group}"
            path = f"{group}/providers/Microsoft.MachineLearningServices/registries/{settings.registry}"
            scope = pulumi.Output.from_input(path)
        if scope is not None:
            for grant in GRANTS:
                if grant.scope is not Scope.SHARED_REGISTRY or not isinstance(grant.role, Role):
                    continue
                assigned(
                    f"{name}-{grant.who.slug}-{grant.role.slug}",
                    subscription_id=subscription,
                    scope=scope,
                    principal=getattr(args.principals, grant.who.slug),
                    kind=PrincipalType.SERVICE_PRINCIPAL,
                    role=grant.role.value,
                    opts=pulumi.ResourceOptions(parent=self),
                )
        self.register_outputs({"registry": self.registry})

    def _registry(self, name: str, registry: str, args: SharingArgs) -> ml.Registry:
        place = args.placement
        return ml.Registry(
            name,
            registry_name=registry,
            resource_group_name=place.resource_group,
            location=place.location,
            identity=ml.ManagedServiceIdentityArgs(type=ml.ManagedServiceIdentityType.SYSTEM_ASSIGNED),
            public_network_access="Enabled" if args.network.public_access else "Disabled",
            region_details=[
                ml.RegistryRegionArmDetailsArgs(
                    location=place.location,
                    storage_account_details=[
                        ml.StorageAccountDetailsArgs(
                            system_created_storage_account=ml.SystemCreatedStorageAccountArgs(
                                storage_account_type="Standard_LRS", storage_account_hns_enabled=False
                            )
                        )
                    ],
                    acr_details=[
                        ml.AcrDetailsArgs(
                            system_created_acr_account=ml.SystemCreatedAcrAccountArgs(acr_account_sku="Premium")
                        )
                    ],
                )
            ],
            tags=place.tags,
            # Azure adds the resources that it creates to the details. The stack never changes them afterwards.
            opts=pulumi.ResourceOptions(
                parent=self, protect=place.protect, ignore_changes=["regionDetails"], hooks=place.hooks()
            ),
        )
