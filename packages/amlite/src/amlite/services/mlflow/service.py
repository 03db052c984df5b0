"""The MLflow service."""

from amlite.core.service import Service
from amlite.services.machinelearning.references import COMPUTE_TYPE
from amlite.services.mlflow import artifact_routes, routes, tracking

SERVICE = Service(
    routes=[routes.routes, artifact_routes.routes],
    created={COMPUTE_TYPE: tracking.compute_created},
)
