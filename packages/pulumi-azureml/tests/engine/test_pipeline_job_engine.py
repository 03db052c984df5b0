"""A pipeline that an update runs, by the real engine: its progress is shown, and it runs again for new content only."""

from __future__ import annotations

from azureml_fixtures.engine import STACK, Make, operations


def test_a_pipeline_is_run_once_for_each_content(make: Make) -> None:
    project = make()
    project.write("ml/environment/conda.yml", {"name": "plain", "dependencies": ["python=3.11"]})
    image = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"
    project.edit("ml/environment/environment.yml", image=image, conda_file="./conda.yml")
    program = (project.root / "__main__.py").read_text("utf-8")
    assert "workspace=workspace)" in program
    project.write(
        "__main__.py",
        program.replace("workspace=workspace)", 'workspace=workspace, runs={"steps": 5})')
        + '\npulumi.export("job", assets.resources["pipeline_job"]["steps"].job)\n',
    )
    shown = project.up()
    first = f"steps-{project.asset('pipeline_job').version}"
    assert f"job {first}: step: Completed after" in shown
    assert project.pulumi("stack", "output", "job", "--stack", STACK).strip() == first
    assert operations(project.preview(0, "--json")) == {}
    project.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes", "--stack", STACK)

    # Content that cannot run fails the update with the step's own words, and what ran stays what it is.
    project.write("ml/step/src/main.py", f"raise SystemExit('no rows for {project.tag}')\n")
    changed = {f"component-step_{project.tag}", f"schedule-daily-{project.tag}", "pipeline-job-steps"}
    assert operations(project.preview(0, "--json")) == dict.fromkeys(changed, "update")
    told = project.up(expect=1)
    assert "step 'step' failed" in told
    assert f"no rows for {project.tag}" in told
    assert "Traceback" not in told
    # A schedule needs the pipeline as it is planned, and waits for no run of it.
    step = project.ml.schedules.get(f"daily-{project.tag}").create_job.jobs["step"]
    assert str(step.component).endswith(project.asset("component").version)

    project.write("ml/step/src/main.py", f"print('{project.tag}')\n")
    project.up()
    names = [job.name for job in project.ml.jobs.list() if job.name.startswith("steps-")]
    assert names.count(first) == 1
    assert len(names) == 2
    project.destroy()
    assert [job.name for job in project.ml.jobs.list() if job.name == first] == []
