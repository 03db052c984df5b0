"""The workspace's managed virtual network: its outbound rules, and its provisioning."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import machinelearningservices as ml

import pulumi_azureml as azureml
from infra.components.placement import Placement
from infra.settings.network import Isolation, NetworkSettings

_Rule = ml.PrivateEndpointOutboundRuleArgs | ml.ServiceTagOutboundRuleArgs | ml.FqdnOutboundRuleArgs
# Parallel steps and batch deployments distribute their work through these. Azure adds no endpoints to them.
_WORK_PARTS = ("queue", "table")


@dataclass(frozen=True, kw_only=True)
class WorkspaceNetworkArgs:
    """Inputs of `WorkspaceNetwork`: the workspace, and the ids of the resources that it uses.

    `requires` has the role assignments that the workspace's identity needs to approve private endpoints.
    """

    placement: Placement
    workspace: ml.Workspace
    place: azureml.WorkspaceArgs
    storage_account_id: pulumi.Output[str]
    key_vault_id: pulumi.Output[str]
    container_registry_id: pulumi.Output[str]
    settings: NetworkSettings
    requires: Sequence[pulumi.Resource]


class WorkspaceNetwork(pulumi.ComponentResource):
    """The outbound rules of the settings and those that the platform needs, and the provisioned network.

    Azure adds its own rules, which are not resources of the stack, and keeps rules that others add. Everything that
    runs in the network must depend on `ready`. Azure provisions it in about half an hour, and refuses online
    deployments until then.
    """

    ready: list[pulumi.Resource]

    def __init__(self, name: str, args: WorkspaceNetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("azureml-platform:infra:WorkspaceNetwork", name, None, opts)
        place, settings = args.placement, args.settings
        before: list[pulumi.Resource] = [args.workspace, *args.requires]
        for rule_name, properties in _rules(args):
            # One after the other, because Azure loses some of the rules that are written at the same time (azapi#453).
            rule = ml.ManagedNetworkSettingsRule(
                f"{name}-{rule_name}",
                rule_name=rule_name,
                workspace_name=args.workspace.name,
                resource_group_name=place.resource_group,
                properties=properties,
                opts=pulumi.ResourceOptions(
                    parent=self,
                    depends_on=before,
                    deleted_with=args.workspace,
                    # Azure changes it when it provisions the network.
                    ignore_changes=["properties.status"],
                ),
            )
            before = [rule, *args.requires]
        network = azureml.ManagedNetwork(
            name,
            azureml.ManagedNetworkArgs(workspace=args.place, isolation=settings.isolation.value),
            pulumi.ResourceOptions(parent=self, depends_on=before, deleted_with=args.workspace),
        )
        self.ready = [network]
        self.register_outputs({})


def _rules(args: WorkspaceNetworkArgs) -> Iterator[tuple[str, _Rule]]:
    """Yield the names and properties of the rules."""
    settings = args.settings
    for part, target, subresource in _own(args):
        yield f"{part}-{subresource}", _private_endpoint(target, subresource)
    for endpoint in settings.outbound.private_endpoints:
        resource = endpoint.resource_id.rpartition("/")[2]
        yield (
            _name("private", resource, endpoint.subresource),
            _private_endpoint(endpoint.resource_id, endpoint.subresource),
        )
    for tag in settings.outbound.service_tags:
        destination = ml.ServiceTagDestinationArgs(
            service_tag=tag.tag, protocol=tag.protocol.value, port_ranges=tag.ports
        )
        protocol = "any" if tag.protocol.value == "*" else tag.protocol.value
        yield (
            _name("tag", tag.tag, protocol),
            ml.ServiceTagOutboundRuleArgs(type="ServiceTag", category="UserDefined", destination=destination),
        )
    for host in settings.outbound.hosts:
        yield (
            _name("host", host.replace("*", "any")),
            ml.FqdnOutboundRuleArgs(type="FQDN", category="UserDefined", destination=host),
        )


def _own(args: WorkspaceNetworkArgs) -> Iterator[tuple[str, pulumi.Output[str], str]]:
    """Yield the platform's own resources that need a private endpoint that Azure does not add.

    Azure adds one to each part of the workspace if only approved destinations are reached, and otherwise to parts
    without public access. It adds none to parts that some addresses may reach.
    """
    settings = args.settings
    approved = settings.isolation is Isolation.APPROVED_OUTBOUND
    if not (approved or settings.restricted):
        return
    for subresource in _WORK_PARTS:
        yield "storage", args.storage_account_id, subresource
    if not approved and settings.public_access:
        for subresource in ("blob", "file"):
            yield "storage", args.storage_account_id, subresource
        yield "vault", args.key_vault_id, "vault"
        yield "registry", args.container_registry_id, "registry"


def _private_endpoint(target: pulumi.Input[str], subresource: str) -> ml.PrivateEndpointOutboundRuleArgs:
    return ml.PrivateEndpointOutboundRuleArgs(
        type="PrivateEndpoint",
        category="UserDefined",
        destination=ml.PrivateEndpointDestinationArgs(service_resource_id=target, subresource_target=subresource),
    )


def _name(*parts: str) -> str:
    return "-".join(re.sub("[^A-Za-z0-9]+", "-", part).strip("-") for part in parts)
