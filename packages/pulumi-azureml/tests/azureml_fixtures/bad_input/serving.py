"""Endpoints and deployments."""

from azureml_fixtures.bad_input.changes import (
    BATCH,
    DEPLOYMENT,
    ENDPOINT,
    Change,
    add,
    batch,
    both,
    put,
    swap,
)  # fmt: skip


def _added(text: str) -> Change:
    return add(DEPLOYMENT, text)


CASES: dict[str, Change] = {
    "a request timeout beyond Azure's": _added("request_settings: {request_timeout_ms: 999999999}"),
    "a request timeout of zero": _added("request_settings: {request_timeout_ms: 0}"),
    "a negative request timeout": _added("request_settings: {request_timeout_ms: -5}"),
    "a request timeout in words": _added("request_settings: {request_timeout_ms: soon}"),
    "a request timeout outside of request_settings": _added("request_timeout_ms: 5000"),
    "no concurrent requests": _added("request_settings: {max_concurrent_requests_per_instance: 0}"),
    "a negative queue wait": _added("request_settings: {max_queue_wait_ms: -1}"),
    "request settings in a list": _added("request_settings: [5000]"),
    "a misspelt request setting": _added("request_settings: {request_timeout: 5}"),
    "a probe with a period of zero": _added("liveness_probe: {period: 0}"),
    "a probe with a negative delay": _added("liveness_probe: {initial_delay: -1}"),
    "a probe with no failures": _added("readiness_probe: {failure_threshold: 0}"),
    "a probe with a text": _added("readiness_probe: {timeout: soon}"),
    "an unknown scale": _added("scale_settings: {type: automatic}"),
    "a scale with a type that is missing": _added("scale_settings: {min_instances: 1}"),
    "a scale by utilization of a managed deployment": _added(
        "scale_settings: {type: target_utilization, min_instances: 1, max_instances: 2}"
    ),
    "an unknown endpoint": swap(DEPLOYMENT, "endpoint_name: flights", "endpoint_name: flight"),
    "an unknown environment": swap(DEPLOYMENT, "environment: azureml:serving", "environment: azureml:servin"),
    "a model that is no reference": swap(DEPLOYMENT, "model: azureml:delay@latest", "model: 'azureml:'"),
    "a model that is a list": swap(DEPLOYMENT, "model: azureml:delay@latest", "model: [delay]"),
    "an instance type that is none": swap(DEPLOYMENT, "Standard_DS3_v2", "Standard_DS3v2"),
    "an instance type that is a number": swap(DEPLOYMENT, "Standard_DS3_v2", "3"),
    "an instance type that is empty": swap(DEPLOYMENT, "instance_type: Standard_DS3_v2", "instance_type:"),
    "a deployment of an unknown type": _added("type: serverless"),
    "variables in a list": _added("environment_variables: [A=b]"),
    "a variable that is a list": _added("environment_variables: {A: [b]}"),
    "a variable that is a mapping": _added("environment_variables: {A: {b: c}}"),
    "a variable with a space in its name": _added("environment_variables: {'A B': c}"),
    "a variable with an equals sign in its name": _added("environment_variables: {'A=B': c}"),
    "a variable with an empty name": _added("environment_variables: {'': c}"),
    "a variable with a NUL": _added('environment_variables: {A: "b\\0"}'),
    "a collector without collections": _added("data_collector: {sampling_rate: 0.5}"),
    "a collector with a rate of two": _added(
        "data_collector: {sampling_rate: 2, collections: {model_inputs: {enabled: 'true'}}}"
    ),
    "a collector with a rate that is not a number": _added(
        "data_collector: {sampling_rate: .nan, collections: {model_inputs: {enabled: 'true'}}}"
    ),
    "a collector with an unknown roll": _added(
        "data_collector: {rolling_rate: second, collections: {model_inputs: {enabled: 'true'}}}"
    ),
    "a network access that does not exist": _added("egress_public_network_access: maybe"),
    "an app_insights that is no Boolean": _added("app_insights_enabled: maybe"),
    "two deployments of one endpoint": put(
        "ml/deploy/green-deployment.yml",
        "name: green\nendpoint_name: flights\nmodel: azureml:delay@latest\nenvironment: azureml:serving\n"
        "code_configuration: {code: ./score, scoring_script: score.py}\n"
        "instance_type: Standard_DS3_v2\ninstance_count: 1\n",
    ),
    "two deployments of one name": put(
        "ml/deploy/other/blue-deployment.yml",
        "name: blue\nendpoint_name: flights\nmodel: azureml:delay@latest\nenvironment: azureml:serving\n"
        "code_configuration: {code: ../score, scoring_script: score.py}\n"
        "instance_type: Standard_DS3_v2\ninstance_count: 1\n",
    ),
    "a sample request that is cut off": put("ml/deploy/sample-request.json", '{"data": [1, 2\n'),
    "a sample request that is empty": put("ml/deploy/sample-request.json", ""),
    "a sample request in UTF-16": put("ml/deploy/sample-request.json", '{"data": []}'.encode("utf-16")),
    "a sample request with a comment": put("ml/deploy/sample-request.json", '// a request\n{"data": []}\n'),
    "a sample request with NaN": put("ml/deploy/sample-request.json", '{"data": [NaN]}\n'),
    "a sample request with a key twice": put("ml/deploy/sample-request.json", '{"data": [], "data": [1]}\n'),
    "an endpoint with an unknown network access": add(ENDPOINT, "public_network_access: maybe"),
    "an endpoint with an identity that is a text": add(ENDPOINT, "identity: system"),
    "an endpoint with an unknown compute": add(ENDPOINT, "compute: azureml:k8s"),
    "an endpoint with a mirror of more than half": add(ENDPOINT, "mirror_traffic: {blue: 60}"),
    "an endpoint with a setting of a deployment": add(ENDPOINT, "instance_count: 1"),
    "a batch endpoint with keys": both(batch(), put(BATCH, "name: flights-batch\nauth_mode: key\n")),
    "a batch endpoint with an unknown default": both(
        batch(), put(BATCH, "name: flights-batch\ndefaults: {deployment_name: none}\n")
    ),
    "a batch deployment of an unknown endpoint": batch("endpoint_name: flights-batc"),
    "a batch deployment of an unknown type": batch("type: modl"),
    "a batch deployment on an unknown compute": batch("compute: azureml:gpu"),
    "a batch deployment without a batch size": batch("settings: {max_concurrency_per_instance: 1}"),
    "a batch deployment with its settings outside of settings": batch("mini_batch_size: 5"),
    "a batch deployment with a batch size of zero": batch("settings: {mini_batch_size: 0}"),
    "a batch deployment with an unknown output action": batch("settings: {mini_batch_size: 5, output_action: append}"),
    "a batch deployment with a retry in words": batch(
        "settings: {mini_batch_size: 5, retry_settings: {timeout: soon}}"
    ),
    "a batch deployment with no instances": batch("resources: {instance_count: 0}"),
    "a batch deployment with an unknown log level": batch("settings: {mini_batch_size: 5, logging_level: loud}"),
    "a batch deployment that gives up at once": batch("settings: {mini_batch_size: 5, error_threshold: -2}"),
}
