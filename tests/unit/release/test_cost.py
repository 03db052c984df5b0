"""The cost estimate: what resources use, prices that are unknown, and the table's refresh from a recorded answer."""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.core.pipeline.policies import RetryPolicy
from click.testing import CliRunner

from release.cli import main
from release.cost import assumptions, check, meters, prices
from release.cost.assumptions import Assumptions
from release.cost.document import Cost
from release.cost.estimate import estimate
from release.cost.estimate import meters as needed
from release.cost.prices import Price, Prices
from release.cost.retail import RetailPrices
from release.errors import ReleaseError
from release.planned import PlannedResource
from release.stack import PulumiStack
from release.terminal.console import new_console
from tests.hosts.server import Answer, FakeHost, Request

NATIVE = "azure-native:"
CLUSTER = f"{NATIVE}machinelearningservices:Compute"
WORKSPACE = f"{NATIVE}machinelearningservices:Workspace"
RULE = f"{NATIVE}machinelearningservices:ManagedNetworkSettingsRule"
ENDPOINT = "pulumi-python:dynamic/azureml:OnlineEndpoint"
GROUP = PlannedResource(f"{NATIVE}resources:ResourceGroup", "platform", None, {"location": "West Europe"})
ASSUMED = Assumptions(
    active_hours=10, instance_hours=20, jobs=4, rollouts=2, rollout_minutes=30, storage_gb=100, log_gb=5,
    vault_operations=20_000, own_private_endpoints=5,
)  # fmt: skip
TABLE = Prices(
    currency="USD",
    regions={
        "westeurope": {
            "vm/D3": Price(price=0.5, date=dt.date(2026, 1, 2)),
            "vm-low-priority/D3": Price(price=0.1),
            "registry/Basic": Price(price=0.2),
            "storage/ZRS": Price(price=0.03),
            "logs": Price(price=3),
            "vault": Price(price=0.04),
            "private-endpoint": Price(price=0.01),
            "firewall/Standard": Price(price=1.25),
            "registry/Premium": Price(price=2),
            "storage/LRS": Price(price=0.02),
        }
    },
)


def cluster(least: int, most: int, idle: str = "PT15M", **more: Any) -> dict[str, Any]:
    scale = {"minNodeCount": least, "maxNodeCount": most, "nodeIdleTimeBeforeScaleDown": idle}
    return {"properties": {"computeType": "AmlCompute", "properties": {"vmSize": "D3", "scaleSettings": scale, **more}}}


def endpoint(count: Any, *steps: int, size: str = "D3") -> dict[str, Any]:
    definition = {"instance_type": size, "instance_count": count}
    return {"deployment": {"definition": definition}, "rollout": {"steps": list(steps), "bake_seconds": 1800}}


def rule(kind: str) -> dict[str, Any]:
    return {"properties": {"type": kind}}


def instance(**settings: Any) -> dict[str, Any]:
    return {"properties": {"computeType": "ComputeInstance", "properties": {"vmSize": "D3", **settings}}}


def after(*resources: tuple[str, dict[str, Any]]) -> Cost:
    planned = [PlannedResource(type_, f"r{index}", None, inputs) for index, (type_, inputs) in enumerate(resources)]
    return estimate([GROUP, *planned], TABLE, ASSUMED)


@pytest.mark.parametrize(
    ("type_", "inputs", "monthly"),
    [
        # Two nodes above the minimum work 10 hours, and wait 15 minutes after each of four jobs.
        (CLUSTER, cluster(0, 2), 2 * 11 * 0.5),
        (CLUSTER, cluster(1, 2), (730 + 11) * 0.5),
        (CLUSTER, cluster(0, 2, vmPriority="LowPriority"), 2 * 11 * 0.1),
        (CLUSTER, instance(), 730 * 0.5),
        (CLUSTER, instance(idleTimeBeforeShutdown="PT1H"), 20 * 0.5),
        (CLUSTER, instance(schedules={"computeStartStop": [{"action": "Stop"}]}), 20 * 0.5),
        (CLUSTER, instance(schedules={"computeStartStop": [{"action": "Start"}]}), 730 * 0.5),
        # Two rollouts of half an hour and two steps of half an hour, each with a second deployment.
        (ENDPOINT, endpoint(2, 50, 100), 2 * (730 + 3) * 0.5),
        (ENDPOINT, endpoint("04da6b54-80e4-46f7-96ec-b56ff0331ba9", 100), (730 + 2) * 0.5),
        (f"{NATIVE}containerregistry:Registry", {"sku": {"name": "Basic"}}, 730 / 24 * 0.2),
        (f"{NATIVE}storage:StorageAccount", {"sku": {"name": "Standard_ZRS"}}, 3),
        (f"{NATIVE}keyvault:Vault", {}, 0.08),
        (f"{NATIVE}operationalinsights:Workspace", {}, 15),
        (WORKSPACE, {"managedNetwork": {"isolationMode": "AllowInternetOutbound"}}, 5 * 7.3),
        (RULE, rule("PrivateEndpoint"), 7.3),
        (f"{NATIVE}machinelearningservices:Registry", {"regionDetails": [{}, {}]}, 2 * (730 / 24 * 2 + 2)),
    ],
)
def test_a_resource_costs_what_it_uses(type_: str, inputs: dict[str, Any], monthly: float) -> None:
    result = after((type_, inputs))
    assert result.after == pytest.approx(monthly, abs=0.01)
    assert (len(result.lines), result.unknown) == (1, [])


@pytest.mark.parametrize(
    ("type_", "inputs"),
    [
        (ENDPOINT, {"definition": {}}),
        (CLUSTER, {"properties": {"computeType": "Kubernetes"}}),
        (WORKSPACE, {"managedNetwork": {"isolationMode": "Disabled"}}),
        (RULE, rule("ServiceTag")),
        (f"{NATIVE}authorization:RoleAssignment", {}),
    ],
)
def test_what_is_free_or_not_counted_has_no_line(type_: str, inputs: dict[str, Any]) -> None:
    assert after((type_, inputs)).lines == []


def test_a_rule_for_a_host_adds_the_firewall_to_the_workspace() -> None:
    isolated = {"managedNetwork": {"isolationMode": "AllowOnlyApprovedOutbound", "firewallSku": "Standard"}}
    (line,) = after((WORKSPACE, isolated), (RULE, rule("FQDN"))).lines
    assert (line.after, line.detail) == (949, "managed network, 5 private endpoints of its own; Standard firewall")
    (line,) = after((WORKSPACE, isolated), (RULE, rule("ServiceTag"))).lines
    assert line.after == 36.5


def test_the_difference_is_between_the_deployed_state_and_the_preview() -> None:
    planned = [
        GROUP,
        PlannedResource(ENDPOINT, "grows", endpoint(1, 100), endpoint(3, 100)),
        PlannedResource(CLUSTER, "new", None, cluster(0, 1)),
        PlannedResource(CLUSTER, "gone", cluster(0, 1), None),
        PlannedResource("azureml-platform:infra:Compute", "new", {}, {}),  # a component of the same name
    ]
    result = estimate(planned, TABLE, ASSUMED)
    assert [(each.resource, each.before, each.after) for each in result.lines] == [
        ("grows", 366, 1098),
        ("new", None, 5.5),
        ("gone", 5.5, None),
    ]
    assert (result.before, result.after, result.difference) == (371.5, 1103.5, 732)


def test_an_unknown_price_is_unknown_and_not_free() -> None:
    planned = [
        GROUP,
        PlannedResource(ENDPOINT, "new", None, endpoint(1, 100, size="D99")),
        PlannedResource(f"{NATIVE}keyvault:Vault", "vault", {"location": "northeurope"}, {"location": "West Europe"}),
    ]
    result = estimate(planned, TABLE, ASSUMED)
    assert result.unknown == ["northeurope/vault", "westeurope/vm/D99"]
    assert (result.before, result.after) == (0, 0.08)
    text = io.StringIO()
    check.show(new_console(text), result)
    lines = text.getvalue().splitlines()
    assert lines[0].split()[:4] == ["vault", "unknown", "→", "0.08"]
    assert "- → unknown" in lines[1]
    assert "0.00 → 0.08 USD a month (+0.08), without 2 unknown prices" in lines
    assert "  Prices are Azure's retail prices of 2026-01-02, without discounts and taxes." in lines


def test_the_meters_of_a_stack_are_those_of_its_resources() -> None:
    assert needed([GROUP, PlannedResource(CLUSTER, "c", None, cluster(0, 1))], ASSUMED) == {"westeurope": {"vm/D3"}}


def test_the_shipped_table_and_assumptions_are_well_formed() -> None:
    table = prices.read()
    assert [
        key for each in table.regions.values() for key, price in each.items()
        if (price.price is None) != (price.source is None) or (price.price is None) != (price.date is None)
    ] == []  # fmt: skip
    assert all(text.endswith(".") for text in assumptions.read().sentences())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "currency: Field required"),
        ("{currency: USD, regions: {a: {vm: {price: 1}}}}", r"a\.vm: no such meter"),
        ("{currency: USD, regions: {a: {logs/x: {price: 1}}}}", r"a\.logs/x: no such meter"),
        (
            "{currency: USD, regions: {a: {logs: {price: 0}}}}",
            r"regions\.a\.logs\.price: Input should be greater",
        ),
        ("{currency: USD", "cannot read the prices"),
    ],
)
def test_a_wrong_table_is_one_error(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "prices.yml").write_text(text)
    with pytest.raises(ReleaseError, match=message):
        prices.read(tmp_path / "prices.yml")


@pytest.mark.parametrize("given", ["active_hours=many", "active_hours=800", "jobs=-1", "hours=4", "jobs", "log_gb=nan"])
def test_a_wrong_assumption_is_one_error(given: str) -> None:
    done = CliRunner().invoke(main, ["cost", "-s", "dev", "--assume", given])
    assert (done.exit_code, "Traceback" in done.output) == (1, False)
    assert "assum" in done.output


# As the API answers: fields and forms of its documentation, shortened, with prices made up.
ITEM = {
    "currencyCode": "USD", "tierMinimumUnits": 0.0, "retailPrice": 0.5, "unitPrice": 0.5,
    "armRegionName": "westeurope", "location": "EU West", "effectiveStartDate": "2024-03-01T00:00:00Z",
    "meterName": "D3 v2/DS3 v2", "productName": "Virtual Machines DSv2 Series", "skuName": "DS3 v2",
    "serviceName": "Virtual Machines", "serviceFamily": "Compute", "unitOfMeasure": "1 Hour", "type": "Consumption",
    "isPrimaryMeterRegion": True, "armSkuName": "Standard_DS3_v2",
}  # fmt: skip
VARIANTS = [
    {**ITEM, "productName": "Virtual Machines DSv2 Series Windows", "retailPrice": 0.9},
    {**ITEM, "skuName": "DS3 v2 Spot", "meterName": "DS3 v2 Spot", "retailPrice": 0.05},
    {**ITEM, "skuName": "DS3 v2 Low Priority", "meterName": "D3 v2/DS3 v2 Low Priority", "retailPrice": 0.1},
    {**ITEM, "type": "DevTestConsumption", "retailPrice": 0.4},
]
LOGS = [
    {**ITEM, "meterName": "Analytics Logs Data Ingestion", "unitOfMeasure": "1 GB", "retailPrice": price,
     "tierMinimumUnits": least}
    for price, least in ((0.0, 0.0), (3.0, 5.0))
]  # fmt: skip


def page(*items: dict[str, Any], following: str | None = None) -> dict[str, Any]:
    return {
        "BillingCurrency": "USD", "CustomerEntityId": "Default", "CustomerEntityType": "Retail", "Items": list(items),
        "NextPageLink": following, "Count": len(items),
    }  # fmt: skip


class Listing(FakeHost):
    """Azure's list of prices: gives the next of `answers`, or an empty page."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[tuple[int, Any]] = []

    def answer(self, request: Request) -> Answer:
        return Answer(*(self.answers.pop(0) if self.answers else (200, page())))


@pytest.fixture
def listing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listing]:
    monkeypatch.setattr(RetryPolicy, "get_backoff_time", lambda *_: 0)
    with Listing() as made:
        yield made


def test_a_price_is_found_on_a_later_page_among_other_offers(listing: Listing) -> None:
    following = "https://prices.azure.com:443/api/retail/prices?%24filter=x&%24skip=100"
    listing.answers = [(200, page(*VARIANTS, following=following)), (200, page(ITEM))]
    found = RetailPrices("USD", listing.url).price("westeurope", "vm/Standard_DS3_v2")
    assert (found.price, str(found.source).partition("?")[0]) == (0.5, "https://prices.azure.com/api/retail/prices")
    first, second = (each.query for each in listing.requests)
    assert first["api-version"] == "2023-01-01-preview"
    assert first["$filter"] == (
        "serviceName eq 'Virtual Machines' and armRegionName eq 'westeurope' and priceType eq 'Consumption' and "
        "armSkuName eq 'Standard_DS3_v2'"
    )
    assert second == {"$filter": "x", "$skip": "100"}


@pytest.mark.parametrize(
    ("key", "condition"),
    [
        ("private-endpoint", "(armRegionName eq 'westeurope' or armRegionName eq 'Global')"),
        ("storage/LRS", "(productName eq 'General Block Blob v2' or productName eq 'Blob Storage')"),
        ("storage/ZRS", "meterName eq 'Hot ZRS Data Stored'"),
        ("vault", "armRegionName eq 'westeurope' and"),
    ],
)
def test_meter_is_found_where_the_list_has_it(key: str, condition: str) -> None:
    """The list has private endpoints for all regions at once, and some LRS storage under another product's name."""
    assert condition in meters.query(key, "westeurope")


def test_offers_and_tiers_are_told_apart() -> None:
    low = meters.chosen("vm-low-priority/Standard_DS3_v2", [ITEM, *VARIANTS])
    logs = meters.chosen("logs", LOGS)
    assert low is not None
    assert logs is not None
    assert (low["retailPrice"], logs["retailPrice"]) == (0.1, 3.0)
    assert meters.chosen("vm/Standard_DS3_v2", VARIANTS) is None


def test_a_fault_is_tried_again_and_a_refusal_is_one_error(listing: Listing) -> None:
    listing.answers = [(503, {}), (200, page(ITEM))]
    assert RetailPrices("USD", listing.url).price("westeurope", "vm/Standard_DS3_v2").price == 0.5
    listing.answers = [(400, {"Message": "bad filter"})]
    with pytest.raises(ReleaseError, match=r"Azure's list of prices answered 400"):
        RetailPrices("USD", listing.url).price("westeurope", "logs")
    listing.answers = [(200, {"value": []})]
    with pytest.raises(ReleaseError, match="has another form"):
        RetailPrices("USD", listing.url).price("westeurope", "logs")


def test_without_a_network_the_error_names_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RetryPolicy, "get_backoff_time", lambda *_: 0)
    with pytest.raises(ReleaseError, match=r"Azure's list of prices cannot be reached at 127\.0\.0\.1:1"):
        RetailPrices("USD", "http://127.0.0.1:1").price("westeurope", "logs")


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "prices.yml"
    file.write_text("currency: USD\nregions: {westeurope: {logs: {}}}\n")
    monkeypatch.setattr(prices.read, "__defaults__", (file,))
    monkeypatch.setattr(prices.write, "__defaults__", (file,))
    return file


def test_refreshing_updates_the_table_only_if_every_price_could_be_read(
    listing: Listing, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RetailPrices.__init__, "__defaults__", (listing.url,))
    listing.answers = [(400, {})]
    before = table.read_text()
    assert CliRunner().invoke(main, ["cost", "--refresh-prices"]).exit_code == 1
    assert table.read_text() == before
    listing.answers = [(200, page(*LOGS))]
    done = CliRunner().invoke(main, ["cost", "--refresh-prices"])
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "Read 1 prices. 0 are not in Azure's list.\n")
    assert prices.read().of("westeurope", "logs") == 3


def test_refreshing_with_a_stack_adds_the_meters_that_it_needs(
    listing: Listing, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RetailPrices.__init__, "__defaults__", (listing.url,))
    resources = [GROUP, PlannedResource(CLUSTER, "c", None, cluster(0, 1))]
    monkeypatch.setattr("release.cost.command._planned", lambda _stack: resources)
    done = CliRunner().invoke(main, ["cost", "-s", "dev", "--refresh-prices", "--output", "json"])
    assert json.loads(done.stdout)["unknown"] == ["westeurope/vm/D3"]
    assert set(prices.read().regions["westeurope"]) == {"logs", "vm/D3"}
    assert table.read_text().startswith("# Retail prices")


def test_the_page_describes_every_assumption_and_meter() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "cost.md").read_text()
    assert [each for each in (*Assumptions.model_fields, *meters.KINDS) if f"`{each}" not in page] == []


def test_a_refresh_asks_for_every_kind_of_meter_and_for_the_sizes_of_the_shipped_stacks() -> None:
    """The refresh reads the prices of the keys in the table. A key without a price is unknown until then."""
    keys = prices.read().regions["westeurope"]
    assert {key.partition("/")[0] for key in keys} == set(meters.KINDS)
    assert {f"vm/Standard_DS{number}_v2" for number in (2, 3, 4)} <= keys.keys()
    assert {"firewall/Basic", "firewall/Standard", "storage/LRS", "storage/ZRS"} <= keys.keys()
    assert all(meters.is_meter(key) for region in prices.read().regions.values() for key in region)


def test_a_stack_or_a_refresh_is_needed() -> None:
    assert CliRunner().invoke(main, ["cost"]).exit_code == 2


def test_the_command_takes_other_assumptions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PulumiStack, "__init__", lambda *_, **__: None)
    monkeypatch.setattr(PulumiStack, "preview", lambda *_, **__: None)
    done = CliRunner().invoke(main, ["cost", "-s", "dev", "--assume", "active_hours=7", "--output", "json"])
    assert "works 7 of them" in json.loads(done.stdout)["assumptions"][0]
