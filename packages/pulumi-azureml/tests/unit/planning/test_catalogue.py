"""What a sound project becomes: order, exact references, versions, and what changes them."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

from azureml_fixtures.planned_project import FILES, Project
from pulumi_azureml.planning import AssetId, Catalogue, CatalogueErrors, ModelChoice, serving

ROOT = Path(__file__).parents[5]


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def test_every_file_of_the_convention_becomes_an_asset(project: Project) -> None:
    assert set(project.versions()) == {
        "environment training",
        "environment serving",
        "data days",
        "component prep",
        "component train",
        "pipeline job training",
        "schedule daily",
        "online endpoint flights",
        "online deployment flights/blue",
    }


def test_versions_that_exist_stay_as_they_are(project: Project) -> None:
    """What is hashed is a contract: another hash would register every asset anew, and deploy every model."""
    assert project.versions(models={"flights": ModelChoice("delay", "4")}) == {
        "component prep": "593c66095861",
        "component train": "7377a8ebba32",
        "data days": "a73247fff00e",
        "environment serving": "dad581097164",
        "environment training": "766cc14ffdab",
        "online deployment flights/blue": "f1035fbaed78",
        "online endpoint flights": "0e24eeb2ec64",
        "pipeline job training": "3fcde9cd2fcc",
        "schedule daily": "aa415df7cb90",
    }


def test_each_asset_comes_after_all_that_it_depends_on(project: Project) -> None:
    seen: set[AssetId] = set()
    for asset in project.load().assets:
        assert set(asset.depends_on) <= seen
        seen.add(asset.id)


def test_references_are_exact_and_paths_relative_to_the_root(project: Project) -> None:
    catalogue = project.load()
    training, prep, train = (
        catalogue["environment", "training"],
        catalogue["component", "prep"],
        catalogue["component", "train"],
    )
    assert prep.definition["environment"] == f"azureml:training:{training.version}"
    assert prep.definition["code"] == "ml/prep/src"
    assert prep.on_disk(project.root)["code"] == str(project.root / "ml/prep/src")
    jobs = catalogue["pipeline_job", "training"].definition["jobs"]
    assert (jobs["prep"]["component"], jobs["train"]["component"]) == (prep.reference, train.reference)
    inputs = catalogue["pipeline_job", "training"].definition["inputs"]
    assert inputs["days"]["path"] == catalogue["data", "days"].reference


def test_a_schedule_owns_the_whole_pipeline(project: Project) -> None:
    project.write(
        "pipelines/schedules/daily.yml",
        """
        name: daily
        trigger: {type: recurrence, frequency: day, interval: 1}
        create_job: {type: pipeline, job: file:../training.yml, inputs: {steps: 99}}
        """,
    )
    catalogue = project.load()
    job = catalogue["schedule", "daily"].definition["create_job"]
    pipeline = catalogue["pipeline_job", "training"].definition
    assert job["jobs"] == pipeline["jobs"]
    assert job["inputs"] == {**pipeline["inputs"], "steps": 99}
    assert pipeline["inputs"]["steps"] == 10


def test_dependants_are_the_other_direction_of_depends_on(project: Project) -> None:
    catalogue = project.load()
    for asset in catalogue.assets:
        for other in catalogue.assets:
            assert (other.id in asset.dependants) == (asset.id in other.depends_on)


def test_a_change_reaches_the_asset_and_its_dependants_only(project: Project) -> None:
    before = project.versions()
    project.write("ml/prep/src/prep.py", "print('other')\n")
    assert changed(before, project.versions()) == {"component prep", "pipeline job training", "schedule daily"}


def test_8_a_changed_file_of_a_build_context_is_a_new_environment(project: Project) -> None:
    before = project.load()["environment", "training"]
    project.write("ml/environments/training/a.txt", "two\n")
    after = project.load()["environment", "training"]
    assert before.version != after.version
    assert {path for path in after.files if after.files[path] != before.files[path]} == {
        "ml/environments/training/a.txt"
    }


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("ml/prep/component.yml", "# a comment\n"),
        ("ml/environments/training/environment.yml", "# the context holds this file\n"),
        ("ml/environments/serving/conda.yml", "# a comment in a conda file\n"),
        ("pipelines/training.yml", "\n\n"),
    ],
)
def test_comments_and_blank_lines_change_nothing(project: Project, path: str, text: str) -> None:
    before = project.load()
    file = project.root / path
    file.write_text(text + file.read_text())
    assert project.load() == before


def test_the_order_of_keys_changes_nothing(project: Project) -> None:
    before = project.versions()
    project.edit("ml/prep/component.yml")
    text = (project.root / "ml/prep/component.yml").read_text()
    first, rest = text.split("\n", 1)
    (project.root / "ml/prep/component.yml").write_text(rest + first + "\n")
    assert project.versions() == before


def test_7_description_and_tags_are_metadata_beside_the_version(project: Project) -> None:
    before = project.load()["component", "prep"]
    project.edit("ml/prep/component.yml", description="Other words.", tags={"team": "delay"}, display_name="Prepare")
    after = project.load()["component", "prep"]
    assert (after.version, after.content_hash) == (before.version, before.content_hash)
    assert before.metadata == {"description": "Makes rows."}
    assert after.metadata == {"description": "Other words.", "tags": {"team": "delay"}, "display_name": "Prepare"}


def test_another_checkout_with_other_line_endings_modes_and_times_has_the_same_versions(tmp_path: Path) -> None:
    one, two = Project(tmp_path / "one"), Project(tmp_path / "other" / "place")
    for path in FILES:
        file = two.root / path
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
        file.chmod(0o755)
        os.utime(file, (1, 1))
    assert one.load() == _moved(two.load(), two.root, one.root)


def _moved(catalogue: Catalogue, source: Path, target: Path) -> Catalogue:
    """The same catalogue as if its files lay elsewhere: where a tree is read from is the one thing that may differ."""
    assets = []
    for asset in catalogue.assets:
        trees = {
            keys: dataclasses.replace(
                tree,
                files=tuple(
                    dataclasses.replace(file, source=str(target / Path(file.source).relative_to(source)))
                    for file in tree.files
                ),
            )
            for keys, tree in asset.trees.items()
        }
        assets.append(dataclasses.replace(asset, trees=trees))
    return Catalogue(tuple(assets))


def test_a_version_in_the_yaml_is_kept_and_its_hash_still_tells_changes(project: Project) -> None:
    project.edit("ml/prep/component.yml", version=7)
    before = project.load()["component", "prep"]
    project.write("ml/prep/src/prep.py", "changed\n")
    after = project.load()["component", "prep"]
    assert (before.version, before.pinned, before.definition["version"]) == ("7", True, "7")
    assert (after.version, after.pinned) == ("7", True)
    assert before.content_hash != after.content_hash
    assert after.reference == "azureml:prep:7"


def test_a_reference_to_another_version_of_a_managed_asset_stands_as_it_is(project: Project) -> None:
    project.replace("pipelines/training.yml", "azureml:prep", "azureml:prep:0123456789ab")
    pipeline = project.load()["pipeline_job", "training"]
    assert pipeline.definition["jobs"]["prep"]["component"] == "azureml:prep:0123456789ab"
    assert AssetId("component", "prep") not in pipeline.depends_on


@pytest.mark.parametrize(
    "reference",
    [
        "azureml:elsewhere:3",
        "azureml:AzureML-sklearn-1.0-ubuntu20.04-py38-cpu@latest",
        "azureml://registries/azureml/environments/sklearn-1.5/labels/latest",
    ],
)
def test_assets_of_others_stand_as_they_are(project: Project, reference: str) -> None:
    project.replace("ml/prep/component.yml", "azureml:training", reference)
    assert project.load()["component", "prep"].definition["environment"] == reference


def test_without_an_accepted_model_a_deployment_waits(project: Project) -> None:
    deployment = project.load()["online_deployment", "flights/blue"]
    assert deployment.waiting_for == "a version of model 'delay'"
    assert deployment.depends_on == (AssetId("environment", "serving"),)
    # The endpoint owns it, so it comes last.
    assert project.load()["online_endpoint", "flights"].depends_on == (deployment.id,)


def test_the_configuration_picks_the_model(project: Project) -> None:
    before = project.load()["online_deployment", "flights/blue"].version
    chosen = project.load(models={"flights": ModelChoice("delay", "4")})["online_deployment", "flights/blue"]
    assert (chosen.waiting_for, chosen.definition["model"]) == (None, "azureml:delay:4")
    assert chosen.version != before
    other = project.load(models={"flights": ModelChoice("delay", "4", "shared")})["online_deployment", "flights/blue"]
    assert other.definition["model"] == "azureml://registries/shared/models/delay/versions/4"


def test_a_deployment_serves_under_a_name_of_its_content_and_not_while_it_waits(project: Project) -> None:
    def served(version: str) -> dict[str, str]:
        plan = project.load(models={"flights": ModelChoice("delay", version)})
        return serving(plan.of("online_deployment"))

    assert serving(project.load().of("online_deployment")) == {}
    before, after = served("4"), served("5")
    assert before.keys() == after.keys() == {"flights"}
    assert before["flights"] != after["flights"]
    assert before["flights"].startswith("blue-")


def test_a_model_of_the_tree_is_used_by_its_version(project: Project) -> None:
    project.write("ml/models/delay/model.yml", "name: delay\ntype: custom_model\npath: model.bin\n")
    project.write("ml/models/delay/model.bin", b"\x00\x01")
    catalogue = project.load()
    deployment = catalogue["online_deployment", "flights/blue"]
    assert deployment.waiting_for is None
    assert deployment.definition["model"] == catalogue["model", "delay"].reference
    # Promoted by the configuration, it may be made by the same update.
    version = catalogue["model", "delay"].version
    chosen = project.load(models={"flights": ModelChoice("delay", version)})["online_deployment", "flights/blue"]
    assert AssetId("model", "delay") in chosen.depends_on
    assert chosen.version == deployment.version


def test_the_stack_builds_an_image_tagged_with_its_inputs(project: Project) -> None:
    azure = project.load()["environment", "training"]
    assert azure.build is None
    environment = project.load(build_images=True, login_server="acr.azurecr.io")["environment", "training"]
    plan = environment.build
    assert plan is not None
    assert (plan.context, plan.dockerfile) == ("ml/environments/training", "Dockerfile")
    assert plan.image == f"acr.azurecr.io/environments/training:{plan.tag}"
    # Azure never lets a version's content change, and a digest is other content than a build context.
    assert environment.version != azure.version


@pytest.mark.parametrize("build_images", [False, True])
def test_a_build_context_contains_its_dockerfile(project: Project, build_images: bool) -> None:
    def load(dockerfile: str) -> None:
        content = f"name: training\nbuild:\n  path: .\n  dockerfile_path: {dockerfile}\n"
        project.write("ml/environments/training/environment.yml", content)
        project.load(build_images=build_images, login_server="acr.azurecr.io")

    load("./Dockerfile")
    project.write("ml/environments/Dockerfile", "FROM python:3.11\n")
    with pytest.raises(CatalogueErrors, match=r"has no '\.\./Dockerfile'"):
        load("../Dockerfile")


def test_build_arguments_count_and_the_registry_does_not(project: Project) -> None:
    def tags(**settings: object) -> tuple[str, str]:
        environment = project.load(build_images=True, **settings)["environment", "training"]
        assert environment.build is not None
        return environment.version, environment.build.tag

    assert tags(login_server="one.azurecr.io") == tags(login_server="two.azurecr.io")
    plain, other = tags(), tags(build_arguments={"PYTHON": "3.12"})
    assert plain[0] != other[0]
    assert plain[1] != other[1]


def test_a_cloud_path_is_referenced_and_a_local_one_hashed(project: Project) -> None:
    local = project.load()["data", "days"]
    project.edit("ml/data/days/data.yml", path="azureml://datastores/workspaceblobstore/paths/days.csv")
    cloud = project.load()["data", "days"]
    assert (local.paths, cloud.paths) == ((("path",),), ())
    assert (set(local.files), cloud.files) == ({"ml/data/days/days.csv"}, {})


def test_a_pipeline_component_is_a_component(project: Project) -> None:
    project.write(
        "pipelines/prepare.yml",
        """
        $schema: https://azuremlschemas.azureedge.net/latest/pipelineComponent.schema.json
        type: pipeline
        name: prepare
        inputs: {days: {type: uri_file}}
        jobs:
          prep: {type: command, component: "azureml:prep", inputs: {days: "${{parent.inputs.days}}"}}
        """,
    )
    assert project.load()["component", "prepare"].depends_on == (AssetId("component", "prep"),)


def test_ignored_folders_are_not_searched(project: Project) -> None:
    project.write("ml/.gitignore", "scratch/\n")
    project.write("ml/scratch/component.yml", "not: [closed\n")
    assert ("component scratch") not in project.versions()


def test_an_empty_project_has_no_assets(tmp_path: Path) -> None:
    project = Project(tmp_path)
    for path in FILES:
        (tmp_path / path).unlink()
    assert project.load().assets == ()


def test_an_unchanged_tree_imports_no_azure_and_prints_nothing(tmp_path: Path) -> None:
    project = Project(tmp_path / "project", tmp_path / "cache")
    project.load(check_with_azure=True)
    script = f"""
import sys
from pathlib import Path
from pulumi_azureml.planning import CatalogueSettings, load_catalogue
settings = CatalogueSettings(computes=frozenset({{"cpu"}}), cache_folder=Path({str(project.cache_folder)!r}))
load_catalogue(Path({str(project.root)!r}), settings)
assert not [name for name in sys.modules if name.startswith(("azure", "marshmallow"))]
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_references_to_assets_that_no_file_defines_are_noted_with_their_keys(project: Project) -> None:
    """The provider asks the workspace for them, once it is there."""
    project.replace("pipelines/training.yml", "azureml:days@latest", "azureml:weather@latest")
    project.replace("ml/prep/component.yml", "environment: azureml:training", "environment: azureml:training:9")
    plan = project.load()
    (data,) = plan["pipeline_job", "training"].outside
    assert (data.kind, data.text) == ("data", "azureml:weather@latest")
    assert data.place("pipelines/training.yml") == "pipelines/training.yml: `inputs.days.path`"
    (environment,) = plan["component", "prep"].outside
    assert (environment.kind, environment.text, environment.keys) == (
        "environment",
        "azureml:training:9",
        ("environment",),
    )
    assert plan["component", "train"].outside == ()


@pytest.mark.parametrize("text", ["azureml:training@prod", "azureml:team@prod", "azureml:AzureML-sklearn-1.5@latest"])
def test_labels_and_curated_environments_are_noted_too(text: str, project: Project) -> None:
    project.replace("ml/prep/component.yml", "environment: azureml:training", f"environment: {text}")
    (environment,) = project.load()["component", "prep"].outside
    assert environment.text == text
