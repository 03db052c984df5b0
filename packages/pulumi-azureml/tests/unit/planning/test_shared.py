"""What lies below `ml/shared/` belongs to a registry."""

from __future__ import annotations

import pytest

from azureml_fixtures.planned_project import Project

REGISTRY = "mlops-shared"


def move(project: Project, folder: str) -> None:
    (project.root / "ml/shared" / folder).parent.mkdir(parents=True, exist_ok=True)
    (project.root / "ml" / folder).rename(project.root / "ml/shared" / folder)


def shared(project: Project) -> Project:
    for folder in ("prep", "environments"):
        move(project, folder)
    return project


def test_shared_assets_are_named_by_the_registry(project: Project) -> None:
    alone = project.versions()
    plan = shared(project).load(registry=REGISTRY)
    prep, training = plan["component", "prep"], plan["environment", "training"]
    assert (prep.registry, training.registry) == (REGISTRY, REGISTRY)
    assert prep.definition["environment"] == training.reference
    assert training.reference == f"azureml://registries/{REGISTRY}/environments/training/versions/{training.version}"
    # The environment refers to nothing, so its version is the same in either place.
    assert training.version == alone["environment training"]
    step = plan["pipeline_job", "training"].definition["jobs"]["prep"]
    assert step["component"] == prep.reference
    assert plan["component", "train"].registry is None


def test_a_stack_without_a_registry_is_told_so(project: Project) -> None:
    move(project, "environments")
    problems = project.problems()
    assert {problem.message for problem in problems} == {
        "is in `ml/shared/`, but the stack has no registry to share it through"
    }
    assert problems[0].fix.startswith("set `registry` in CatalogueSettings")


def test_what_is_shared_uses_only_what_is_shared(project: Project) -> None:
    move(project, "prep")
    problem = project.problem(registry=REGISTRY)
    assert problem.file == "ml/shared/prep/component.yml"
    assert problem.message.startswith("is shared, and environment training, which it uses, is not")
    assert "below `ml/shared/` too" in problem.fix


def test_an_endpoint_cannot_be_shared(project: Project) -> None:
    project.write("ml/shared/deploy/endpoint.yml", "name: other\nauth_mode: key\n")
    problem = project.problem(registry=REGISTRY)
    assert problem.message == "online endpoints cannot be shared through a registry"
    assert problem.fix.startswith("move it out of `ml/shared/`")


def test_the_stack_builds_no_image_that_others_could_not_pull(project: Project) -> None:
    plan = shared(project).load(registry=REGISTRY, build_images=True, login_server="a.azurecr.io")
    assert all(asset.build is None for asset in plan.of("environment") if asset.registry)


IN_REGISTRY = "azureml://registries/team/{}/x/labels/latest"
PLACES = {
    "ml/prep/component.yml": ("environment: azureml:training", "environments", "environment"),
    "pipelines/training.yml": ("path: azureml:days@latest", "data", "inputs.days.path"),
    "ml/data/days/data.yml": ("path: days.csv", "data", "path"),
    "ml/deploy/blue-deployment.yml": ("environment: azureml:serving", "environments", "environment"),
}


@pytest.mark.parametrize("path", PLACES)
def test_an_asset_of_a_registry_is_one_that_must_be_there(project: Project, path: str) -> None:
    written, kinds, place = PLACES[path]
    text = IN_REGISTRY.format(kinds)
    project.replace(path, written, f"{written.partition(':')[0]}: {text}")
    (asset,) = (each for each in project.load().assets if each.path == path)
    (outside,) = asset.outside
    assert (outside.text, outside.place(path)) == (text, f"{path}: `{place}`")


def test_a_component_of_a_registry_is_one_that_must_be_there(project: Project) -> None:
    text = IN_REGISTRY.format("components")
    project.replace("pipelines/training.yml", "component: azureml:prep", f"component: {text}")
    (outside,) = project.load()["pipeline_job", "training"].outside
    assert (outside.kind, outside.text) == ("component", text)
    (outside,) = project.load()["schedule", "daily"].outside
    place = "pipelines/training.yml: `jobs.prep.component`"
    assert (outside.text, outside.place("pipelines/schedules/daily.yml")) == (text, place)


def test_a_shared_asset_of_the_project_that_is_named_in_full_is_made_first(project: Project) -> None:
    shared(project)
    text = f"azureml://registries/{REGISTRY}/components/prep/labels/latest"
    project.replace("pipelines/training.yml", "component: azureml:prep", f"component: {text}")
    pipeline = project.load(registry=REGISTRY)["pipeline_job", "training"]
    assert pipeline.outside == ()
    assert "component prep" in {str(each) for each in pipeline.depends_on}
