"""Trains the churn model in Azure Machine Learning: python submit.py."""

import os
from pathlib import Path

from azure.ai.ml import Input, MLClient, Output, command, dsl
from azure.ai.ml.entities import AmlCompute, CronTrigger, Environment, JobSchedule, Model, PipelineJob
from azure.identity import DefaultAzureCredential

HERE = Path(__file__).parent
CLUSTER = "cpu-cluster"
MODEL = "churn"


def prepare(ml: MLClient) -> None:
    """Create the cluster, or update it."""
    cluster = AmlCompute(name=CLUSTER, size="Standard_DS3_v2", min_instances=0, max_instances=1)
    ml.compute.begin_create_or_update(cluster).result()


def pipeline() -> PipelineJob:
    """Return a pipeline that trains the model and registers it."""
    train = command(
        code=HERE / "train",
        command="python train.py --customers ${{inputs.customers}} --model ${{outputs.model}}",
        environment=Environment(
            name="churn",
            image="mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04",
            conda_file=HERE / "train" / "conda.yml",
        ),
        inputs={"customers": Input(type="uri_file")},
        outputs={"model": Output(type="custom_model")},
    )

    @dsl.pipeline(experiment_name="churn", default_compute=CLUSTER)
    def training():
        step = train(customers=Input(type="uri_file", path=str(HERE / "data" / "customers.csv")))
        return {"model": step.outputs.model}

    job = training()
    job.outputs.model = Output(type="custom_model", name=MODEL)
    return job


def train(ml: MLClient) -> Model:
    """Run the pipeline to its end and return the model."""
    job = ml.jobs.create_or_update(pipeline())
    ml.jobs.stream(job.name)
    return ml.models.get(MODEL, label="latest")


def schedule(ml: MLClient) -> JobSchedule:
    """Train every night."""
    trigger = CronTrigger(expression="0 2 * * *", time_zone="UTC")
    nightly = JobSchedule(name="churn-nightly", trigger=trigger, create_job=pipeline())
    return ml.schedules.begin_create_or_update(nightly).result()


def main() -> None:
    ml = MLClient(DefaultAzureCredential(), os.environ["AZURE_SUBSCRIPTION_ID"], "rg-churn", "mlw-churn")
    prepare(ml)
    model = train(ml)
    print(f"registered {model.name} version {model.version}")
    schedule(ml)


if __name__ == "__main__":
    main()
