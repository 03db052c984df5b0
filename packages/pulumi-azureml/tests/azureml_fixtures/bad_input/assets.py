"""Environments, components, data, models and datastores: what they refer to and what they lack."""

from azureml_fixtures.bad_input.changes import (
    BUILT,
    COMPONENT,
    DATA,
    ENVIRONMENT,
    MODEL,
    STORE,
    Change,
    add,
    put,
    swap,
)  # fmt: skip

_BLOB = "name: lake\ntype: azure_blob\naccount_name: stflights\ncontainer_name: days\n"

CASES: dict[str, Change] = {
    "an environment with nothing": put("ml/environments/x/environment.yml", "name: x\n"),
    "an environment with an image and a build": add(BUILT, "image: python:3.11"),
    "an environment with an empty image": swap(ENVIRONMENT, "image: mcr", "image:\n#"),
    "an environment with an image that is a list": swap(ENVIRONMENT, "image: mcr", "image: [mcr]\n#"),
    "an environment with an unknown operating system": add(ENVIRONMENT, "os_type: mac"),
    "an environment with an image with a space": swap(ENVIRONMENT, "image: mcr", "image: my image\n#"),
    "a component without a command": put(
        "ml/x/component.yml", "name: x\ntype: command\nenvironment: azureml:training\n"
    ),
    "a component without an environment": put("ml/x/component.yml", "name: x\ntype: command\ncommand: x\n"),
    "a component of an unknown type": swap(COMPONENT, "type: command", "type: comand"),
    "a component with a type that is a list": swap(COMPONENT, "type: command", "type: [command]"),
    "a component with an unknown environment": swap(COMPONENT, "azureml:training", "azureml:trainin"),
    "a component with an empty reference": swap(COMPONENT, "azureml:training", "'azureml:'"),
    "a component with a reference of two colons": swap(COMPONENT, "azureml:training", "azureml:training:1:2"),
    "a component with a reference to a missing file": swap(COMPONENT, "azureml:training", "../environments/x.yml"),
    "a component with a reference to a component": swap(COMPONENT, "azureml:training", "../train/component.yml"),
    "a component with a list as environment": swap(COMPONENT, "azureml:training", "[training]"),
    "a component with a null environment": swap(COMPONENT, "azureml:training", ""),
    "a component with an undeclared input": swap(COMPONENT, "${{inputs.share}}", "${{inputs.shares}}"),
    "a component with an undeclared output": swap(COMPONENT, "${{outputs.rows}}", "${{outputs.row}}"),
    "a component with resources that are a text": add(COMPONENT, "resources: many"),
    "a component with no instances": add(COMPONENT, "resources: {instance_count: 0}"),
    "a component with shared memory in words": add(COMPONENT, "resources: {shm_size: lots}"),
    "a component with an unknown distribution": add(COMPONENT, "distribution: {type: horovod}"),
    "a component with a distribution without a type": add(COMPONENT, "distribution: {process_count_per_instance: 1}"),
    "a component with limits": add(COMPONENT, "limits: {timeout: soon}"),
    "data without a type and a file": swap(DATA, "type: uri_file\n", ""),
    "data that is two things": add(DATA, "mltable: x"),
    "a model of an unknown type": put(MODEL, "name: delay\ntype: pickle\npath: ../data/days/days.csv\n"),
    "a model with flavors that are a text": put(
        MODEL, "name: delay\ntype: custom_model\npath: ../data/days\nflavors: sklearn\n"
    ),
    "a model at a broken place": put(MODEL, "name: delay\ntype: custom_model\npath: azureml://jobs/outputs/x\n"),
    "a datastore of an unknown type": put(STORE, _BLOB.replace("azure_blob", "s3")),
    "a datastore without a type": put(STORE, _BLOB.replace("type: azure_blob\n", "")),
    "a datastore without an account": put(STORE, _BLOB.replace("account_name: stflights\n", "")),
    "a datastore without a container": put(STORE, _BLOB.replace("container_name: days\n", "")),
    "a datastore with a key": put(STORE, f"{_BLOB}credentials: {{account_key: abcdefgh}}\n"),
    "a datastore with an unknown protocol": put(STORE, f"{_BLOB}protocol: ftp\n"),
    "a datastore that is also a list": put(STORE, f"{_BLOB}credentials: [a]\n"),
    "a shared asset without a registry": put(
        "ml/shared/x/data.yml", "name: x\ntype: uri_file\npath: ../../data/days/days.csv\n"
    ),
    "a shared endpoint": put("ml/shared/deploy/endpoint.yml", "name: shared\n"),
}
