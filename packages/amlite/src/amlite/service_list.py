"""Every service of amlite. The order does not matter. To add a service, add its lines here."""

from __future__ import annotations

from amlite.control import service as control
from amlite.core.service import Services
from amlite.pulumi import service as pulumi
from amlite.services.arm import service as arm
from amlite.services.authorization import service as authorization
from amlite.services.batch import service as batch
from amlite.services.ci import service as ci
from amlite.services.containerregistry import service as containerregistry
from amlite.services.containerservice import service as containerservice
from amlite.services.databricks import service as databricks
from amlite.services.datafactory import service as datafactory
from amlite.services.entra import service as entra
from amlite.services.environments import service as environments
from amlite.services.eventgrid import service as eventgrid
from amlite.services.jobs import service as jobs
from amlite.services.keyvault import service as keyvault
from amlite.services.kubernetes import service as kubernetes
from amlite.services.kubernetesconfiguration import service as kubernetesconfiguration
from amlite.services.logic import service as logic
from amlite.services.machinelearning import service as machinelearning
from amlite.services.managedidentity import service as managedidentity
from amlite.services.mlflow import service as mlflow
from amlite.services.monitoring import service as monitoring
from amlite.services.registries import service as registries
from amlite.services.schedules import service as schedules
from amlite.services.serving import service as serving
from amlite.services.storage import service as storage
from amlite.services.unserved import service as unserved

SERVICES = Services(
    [
        arm.SERVICE,
        authorization.SERVICE,
        batch.SERVICE,
        ci.SERVICE,
        containerregistry.SERVICE,
        containerservice.SERVICE,
        control.SERVICE,
        databricks.SERVICE,
        datafactory.SERVICE,
        entra.SERVICE,
        environments.SERVICE,
        eventgrid.SERVICE,
        jobs.SERVICE,
        keyvault.SERVICE,
        kubernetes.SERVICE,
        kubernetesconfiguration.SERVICE,
        logic.SERVICE,
        machinelearning.SERVICE,
        managedidentity.SERVICE,
        mlflow.SERVICE,
        monitoring.SERVICE,
        pulumi.SERVICE,
        registries.SERVICE,
        schedules.SERVICE,
        serving.SERVICE,
        storage.SERVICE,
        unserved.SERVICE,
    ]
)
