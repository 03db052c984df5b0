"""Files of `az ml` in the manner of public examples and templates, each as its author would lay it out.

`FILES` has everything. `SUBMITTED` names the files that a user gives to `az ml`, by the function of azure-ai-ml that
loads them. It loads those in `PREVIEWS` with its private features only. The others are what they refer to.
"""

from __future__ import annotations

from pathlib import Path

_S = "$schema: https://azuremlschemas.azureedge.net/latest/{}.schema.json\n"
_IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"
_CURATED = "azureml://registries/azureml/environments/sklearn-1.5/labels/latest"
_ID = "00000000-0000-0000-0000-000000000001"
_PRINCIPAL = f"credentials:\n  tenant_id: {_ID}\n  client_id: {_ID}\n  client_secret: not-a-secret\n"
_CODE = "print('it runs')\n"

FILES: dict[str, str] = {
    # Code and data that the definitions name.
    "src/main.py": _CODE,
    "src/score.py": "def init(): ...\ndef run(data): return data\n",
    "library/helpers.py": _CODE,
    "data/rows.csv": "a,b\n1,2\n",
    "data/table/MLTable": "paths:\n  - file: ../rows.csv\ntransformations: []\n",
    "data/table/rows.csv": "a\n1\n",
    "weights/model.pkl": "weights",
    "weights/mlflow/MLmodel": "flavors: {}\n",
    "context/Dockerfile": f"FROM {_IMAGE}\n",
    "context/requirements.txt": "numpy\n",
    "conda.yaml": "name: model\ndependencies:\n  - python=3.11\n  - pip:\n      - scikit-learn\n",
}
SUBMITTED: dict[str, str] = {}
PREVIEWS: dict[str, str] = {}
# The folder of what a registry has.
SHARED = "registry"


def _add(loader: str, path: str, schema: str, text: str, *, preview: bool = False) -> None:
    (PREVIEWS if preview else SUBMITTED)[path] = loader
    FILES[path] = (_S.format(schema) if schema else "") + text


def _environments() -> None:
    folder = "assets/environment"
    _add("environment", f"{folder}/image.yml", "environment", "name: plain\nimage: python:3.11\n")
    _add(
        "environment",
        f"{folder}/conda.yaml",
        "environment",
        f"name: with-conda\nversion: 1.10\nimage: {_IMAGE}\nconda_file: ../../conda.yaml\n",
    )
    _add("environment", f"{folder}/context.yml", "environment", "name: context\nbuild:\n  path: ../../context\n")
    _add(
        "environment",
        f"{folder}/long.yml",
        "environment",
        f"name: long\nversion: openmpi4.1.0-cuda11.8-cudnn8-ubuntu22.04\nimage: {_IMAGE}\n",
    )
    _add("environment", f"{folder}/shape.yml", "", f"name: by-shape\nimage: {_IMAGE}\n")


def _data_and_models() -> None:
    places = {
        "local-file": ("uri_file", "../../data/rows.csv"),
        "local-folder": ("uri_folder", "../../data"),
        "table": ("mltable", "../../data/table"),
        "web": ("uri_file", "https://example.com/rows.csv"),
        "blob": ("uri_folder", "wasbs://raw@account.blob.core.windows.net/rows"),
        "lake": ("uri_folder", "abfss://raw@account.dfs.core.windows.net/rows"),
        "datastore": ("uri_folder", "azureml://datastores/workspaceblobstore/paths/rows/"),
    }
    for name, (type_, path) in places.items():
        _add("data", f"assets/data/{name}.yml", "data", f"name: {name}\ntype: {type_}\npath: {path}\n")
    models = {
        "pickle": ("custom_model", "../../weights/model.pkl"),
        "logged": ("mlflow_model", "../../weights/mlflow"),
        "from-job": ("mlflow_model", "azureml://jobs/calm_tent_1/outputs/model/paths/"),
    }
    for name, (type_, path) in models.items():
        _add("model", f"assets/model/{name}.yml", "model", f"name: {name}\ntype: {type_}\npath: {path}\n")
    account = "account_name: account\n"
    for name, schema, rest in (
        ("store_blob", "azureBlob", f"type: azure_blob\n{account}container_name: raw\n"),
        ("store_lake", "azureDataLakeGen2", f"type: azure_data_lake_gen2\n{account}filesystem: raw\n"),
        (
            "workspaceblobstore",
            "azureBlob",
            f"type: azure_blob\n{account}container_name: raw\n",
        ),
        (
            "store_key",
            "azureBlob",
            f"type: azure_blob\n{account}container_name: raw\ncredentials:\n  account_key: not-a-key\n",
        ),
        (
            "store_principal",
            "azureDataLakeGen2",
            f"type: azure_data_lake_gen2\n{account}filesystem: raw\n{_PRINCIPAL}",
        ),
        (
            "store_sas",
            "azureFile",
            f"type: azure_file\n{account}file_share_name: raw\ncredentials:\n  sas_token: '?sv=not-a-token'\n",
        ),
    ):
        _add("datastore", f"resources/{name}.yml", schema, f"name: {name}\n{rest}")


def _templates() -> None:
    place = "azureml://registries/shared"
    body = (
        f"deployment_template_type: Managed\nenvironment: {place}/environments/server/versions/1\ninstance_count: 1\n"
        "default_instance_type: Standard_F2s_v2\nallowed_instance_types: [Standard_F2s_v2, Standard_F4s_v2]\n"
        "environment_variables: {MODEL_NAME: delays}\nscoring_path: /v1/models/delays:predict\nscoring_port: 8501\n"
        "liveness_probe: {initial_delay: 60, period: 10, path: /v1/models/delays, port: 8501, scheme: HTTP}\n"
    )
    _add("deployment_template", f"{SHARED}/serve.yml", "deploymentTemplate", f"name: serve\nversion: 1\n{body}")
    _add("deployment_template", "assets/serve.yml", "deploymentTemplate", f"name: serve\nversion: 1\n{body}")
    templates = (
        f"default_deployment_template:\n  asset_id: {place}/deploymenttemplates/serve/versions/1\n"
        f"allowed_deployment_templates:\n  - asset_id: {place}/deploymenttemplates/serve/labels/latest\n"
    )
    _add("model", f"{SHARED}/served.yml", "model", f"name: served\npath: ../weights/model.pkl\n{templates}")


_PORTS = (
    "inputs:\n  rows: {type: uri_folder}\n  rate: {type: number, default: 0.1}\noutputs:\n  model: {type: uri_folder}\n"
)
_RUN = "python main.py --rows ${{inputs.rows}} --rate ${{inputs.rate}} --model ${{outputs.model}}"


def _components() -> None:
    body = f"type: command\n{_PORTS}code: ../src\ncommand: >-\n  {_RUN}\n"
    environments = {
        "inline_image": f"environment:\n  image: {_IMAGE}\n  conda_file: ../conda.yaml\n",
        "inline_build": "environment:\n  build:\n    path: ../context\n",
        "curated": f"environment: {_CURATED}\n",
        "labelled": "environment: azureml:team-environment@prod\n",
        "workspace": "environment: azureml:AzureML-sklearn-1.0-ubuntu20.04-py38-cpu@latest\n",
        "versioned": "environment: azureml:team-environment:7\n",
    }
    for name, environment in environments.items():
        _add("component", f"components/{name}.yml", "commandComponent", f"name: {name}\n{body}{environment}")
    _add(
        "component",
        "components/one_file.yml",
        "commandComponent",
        f"name: one_file\ntype: command\ncode: ../src/main.py\ncommand: python main.py\nenvironment: {_CURATED}\n",
    )
    _add(
        "component",
        "components/includes.yml",
        "commandComponent",
        f"name: includes\n{body}environment: {_CURATED}\nadditional_includes:\n  - ../library\n  - ../conda.yaml\n",
    )
    _add(
        "component",
        "components/batches.yml",
        "parallelComponent",
        "name: batches\ntype: parallel\ninputs:\n  rows: {type: mltable}\noutputs:\n  scores: {type: uri_folder}\n"
        "input_data: ${{inputs.rows}}\npartition_keys: [region]\nresources: {instance_count: 2}\n"
        f"task:\n  type: run_function\n  code: ../src\n  entry_script: score.py\n  environment:\n    image: {_IMAGE}\n",
    )
    _add(
        "component",
        "components/spark_step.yml",
        "sparkComponent",
        "name: spark_step\ntype: spark\ncode: ../src\nentry: {file: main.py}\ninputs:\n  rows: {type: uri_file}\n"
        "conf:\n  spark.driver.cores: 1\n  spark.driver.memory: 2g\n  spark.executor.cores: 1\n"
        "  spark.executor.memory: 2g\n  spark.executor.instances: 1\nargs: --rows ${{inputs.rows}}\n",
    )
    _add(
        "component",
        "components/whole.yml",
        "pipelineComponent",
        "name: whole\ntype: pipeline\ninputs:\n  rows: {type: uri_folder}\njobs:\n  train:\n    type: command\n"
        "    component: ./curated.yml\n    inputs:\n      rows: ${{parent.inputs.rows}}\n",
    )
    _add("component", "components/shape.yaml", "", f"name: shape\n{body}environment: {_CURATED}\n")


_JOB = "code: ../../src\nenvironment: {}\ncompute: azureml:cpu-cluster\n"


def _jobs() -> None:
    curated = _JOB.format(_CURATED)
    inline = _JOB.format(f"\n  image: {_IMAGE}\n  conda_file: ../../conda.yaml")
    jobs = {
        "hello": f"command: echo hello\n{curated}",
        "named": f"name: my_job_1\ntype: command\ncommand: python main.py\n{curated}experiment_name: hello\n",
        "inline": f"command: python main.py\n{inline}tags: {{team: ml}}\n",
        "inputs": f"command: head ${{{{inputs.rows}}}}\ninputs:\n  rows:\n    type: uri_folder\n    path: ../../data\n"
        f"{curated}",
        "web": "command: head ${{inputs.rows}}\ninputs:\n  rows:\n    type: uri_file\n    path: https://example.com/a\n"
        f"{curated}",
        "distributed": f"command: python main.py\n{inline}distribution:\n  type: pytorch\n"
        "  process_count_per_instance: 2\nresources:\n  instance_count: 2\nlimits:\n  timeout: 3600\n",
        "serverless": f"command: python main.py\ncode: ../../src\nenvironment: {_CURATED}\n"
        "resources:\n  instance_type: Standard_DS3_v2\n",
        "variables": f"command: env\n{curated}environment_variables:\n  FLAG: yes\n  NUMBER: 012\n",
    }
    for name, text in jobs.items():
        _add("job", f"jobs/single/{name}.yml", "commandJob", text)
    trial = (
        f"  code: ../../src\n  command: python main.py --rate ${{{{search_space.rate}}}}\n  environment: {_CURATED}\n"
    )
    _add(
        "job",
        "jobs/single/sweep.yml",
        "sweepJob",
        f"type: sweep\ntrial:\n{trial}compute: azureml:cpu-cluster\nsampling_algorithm: random\nsearch_space:\n"
        "  rate: {type: uniform, min_value: 0.01, max_value: 0.9}\nobjective: {goal: minimize, primary_metric: loss}\n"
        "limits: {max_total_trials: 4, max_concurrent_trials: 2}\n",
    )
    _add(
        "job",
        "jobs/single/spark.yml",
        "sparkJob",
        "type: spark\ncode: ../../src\nentry: {file: main.py}\nconf:\n  spark.driver.cores: 1\n"
        "  spark.driver.memory: 2g\n  spark.executor.cores: 1\n  spark.executor.memory: 2g\n"
        '  spark.executor.instances: 1\nresources: {instance_type: standard_e4s_v3, runtime_version: "3.4"}\n',
    )
    _add(
        "job",
        "jobs/single/classify.yml",
        "autoMLJob",
        "type: automl\ntask: classification\nprimary_metric: accuracy\ntarget_column_name: y\n"
        "compute: azureml:cpu-cluster\ntraining_data:\n  type: mltable\n  path: ../../data/table\n"
        "limits: {max_trials: 2, timeout_minutes: 20}\n",
    )
    _add(
        "job",
        "jobs/single/images.yml",
        "autoMLJob",
        "type: automl\ntask: image_classification\nprimary_metric: accuracy\ntarget_column_name: label\n"
        "compute: azureml:gpu-cluster\ntraining_data:\n  type: mltable\n  path: ../../data/table\n"
        "sweep: {sampling_algorithm: random}\nlimits: {max_trials: 2}\n"
        "search_space:\n  - model_name: {type: choice, values: [seresnext]}\n"
        "    number_of_epochs: {type: choice, values: [15, 30]}\n",
    )


def _pipelines() -> None:
    head = "type: pipeline\nsettings:\n  default_compute: azureml:cpu-cluster\n"
    rows = "inputs:\n  rows:\n    type: uri_folder\n    path: ../data\n"
    step = f"    command: {_RUN}\n    code: ../src\n    environment: {_CURATED}\n    inputs:\n"
    step += (
        "      rows: ${{parent.inputs.rows}}\n      rate: 0.2\n    outputs:\n      model: ${{parent.outputs.model}}\n"
    )
    outputs = "outputs:\n  model:\n"
    pipelines = {
        "commands": f"{head}{rows}{outputs}jobs:\n  train:\n    type: command\n{step}",
        "template": f"{head}{rows}{outputs}jobs:\n  train:\n    name: train\n    display_name: train-model\n{step}",
        "files": f"{head}{rows}jobs:\n  train:\n    type: command\n    component: ../components/inline_image.yml\n"
        "    inputs:\n      rows: ${{parent.inputs.rows}}\n",
        "unset": f"{head}jobs:\n  tune:\n    type: command\n"
        "    component: azureml://registries/team/components/tune/labels/latest\n    inputs:\n      arguments: ''\n",
        "misspelt": f"{head}  default_datestore: azureml:raw\njobs:\n  train:\n    type: command\n"
        "    component: azureml:team_train@latest\n",
        "prefixed": f"{head}{rows}jobs:\n  train:\n    type: command\n    component: file:../components/curated.yml\n"
        "    inputs:\n      rows: ${{parent.inputs.rows}}\n",
        "registered": f"{head}{rows}jobs:\n  train:\n    type: command\n    component: azureml:team_train@latest\n"
        "    inputs:\n      rows: ${{parent.inputs.rows}}\n",
        "nested": f"{head}{rows}jobs:\n  all:\n    type: pipeline\n    component: ../components/whole.yml\n"
        "    inputs:\n      rows: ${{parent.inputs.rows}}\n",
        "registry": f"{head}{rows}jobs:\n  train:\n    type: command\n"
        "    component: azureml://registries/team/components/train/labels/latest\n"
        "    inputs:\n      rows: ${{parent.inputs.rows}}\n",
        "inline_component": f"{head}jobs:\n  say:\n    type: command\n    component:\n      type: command\n"
        f"      command: echo\n      environment:\n        image: {_IMAGE}\n",
        "sweep": f"{head}{rows}jobs:\n  tune:\n    type: sweep\n    trial: ../components/curated.yml\n"
        "    inputs:\n      rows: ${{parent.inputs.rows}}\n    search_space:\n"
        "      rate: {type: choice, values: [0.1, 0.2]}\n    sampling_algorithm: grid\n"
        "    objective: {goal: maximize, primary_metric: score}\n    limits: {max_total_trials: 2}\n",
        "parallel": f"{head}inputs:\n  rows:\n    type: mltable\n    path: ../data/table\njobs:\n  score:\n"
        "    type: parallel\n    mini_batch_size: '1'\n    input_data: ${{inputs.rows}}\n"
        "    inputs:\n      rows: ${{parent.inputs.rows}}\n    outputs:\n      scores: {type: uri_folder}\n"
        "    task:\n      type: run_function\n      code: ../src\n      entry_script: score.py\n"
        f"      environment:\n        image: {_IMAGE}\n",
        "automl": f"{head}jobs:\n  search:\n    type: automl\n    task: regression\n    primary_metric: r2_score\n"
        "    target_column_name: y\n    training_data:\n      type: mltable\n      path: ../data/table\n"
        "    outputs:\n      best_model: {type: mlflow_model}\n",
        "mixed": f"{head}inputs:\n  rows:\n    type: uri_file\n    path: https://example.com/rows.csv\njobs:\n"
        "  train:\n    type: command\n    component: ../components/curated.yml\n"
        "    inputs:\n      rows: ${{parent.inputs.rows}}\n",
        "mistyped": f"{head}{rows}jobs:\n  train:\n    type: command\n    component: ../components/curated.yml\n"
        "    inputs:\n      rows: ${{parent.inputs.rows}}\n    identity: {type: user_identity}\n",
    }
    for name, text in pipelines.items():
        _add("job", f"pipes/{name}.yml", "pipelineJob", text)
    daily = "trigger:\n  type: recurrence\n  frequency: day\n  interval: 1\n"
    cron = 'trigger:\n  type: cron\n  expression: "0 5 * * *"\n  time_zone: "UTC"\n'
    for name, text in {
        "simple": f"{daily}create_job: ../pipes/files.yml\n",
        "changed": f"{cron}create_job:\n  type: pipeline\n  job: ../pipes/files.yml\n  settings:\n"
        "    force_rerun: true\n",
        "repeated": f"{cron}create_job: azureml:calm_tent_1\n",
        "repeated-changed": f"{cron}create_job:\n  type: pipeline\n  job: azureml:calm_tent_1\n  settings:\n"
        "    force_rerun: true\n",
    }.items():
        _add("schedule", f"schedules/{name}.yml", "schedule", f"name: {name}\n{text}")
    _add(
        "schedule",
        "schedules/import.yml",
        "schedule",
        f"name: import\n{cron}import_data:\n  type: mltable\n  name: rows\n"
        "  path: azureml://datastores/workspaceblobstore/paths/rows\n"
        "  source: {type: database, query: select 1, connection: azureml:warehouse}\n",
    )


def _control_flow() -> None:
    count = (
        "type: command\ninputs:\n  n: {type: integer, default: 0}\noutputs:\n  next: {type: integer}\n"
        f"  again: {{type: boolean}}\n  model: {{type: uri_folder}}\ncommand: echo\nenvironment: {_CURATED}\n"
    )
    FILES["components/flow/count.yml"] = count
    FILES["components/flow/round.yml"] = (
        "type: pipeline\ninputs:\n  n: {type: integer, default: 0}\noutputs:\n  next: {type: integer}\n"
        "  again: {type: boolean}\njobs:\n  count:\n    type: command\n    component: ./count.yml\n"
        "    inputs:\n      n: ${{parent.inputs.n}}\n    outputs:\n      next: ${{parent.outputs.next}}\n"
        "      again: ${{parent.outputs.again}}\n"
    )
    head = "type: pipeline\nsettings:\n  default_compute: azureml:cpu-cluster\n"
    step = "  {}:\n    type: {}\n    component: ../components/flow/{}.yml\n"
    loop = (
        "  loop:\n    type: do_while\n    body: ${{parent.jobs.body}}\n"
        "    condition: ${{parent.jobs.body.outputs.again}}\n    mapping:\n      next: n\n"
        "    limits:\n      max_iteration_count: 5\n"
    )
    each = "  each:\n    type: parallel_for\n    body: ${{parent.jobs.body}}\n"
    choice = "  choice:\n    type: if_else\n    condition: ${{parent.jobs.body.outputs.again}}\n"
    body, rounds = step.format("body", "command", "count"), step.format("body", "pipeline", "round")
    then = step.format("then", "command", "count") + step.format("otherwise", "command", "count")
    after = "    inputs:\n      n: ${{parent.jobs.body.outputs.next}}\n"
    for name, text in {
        "loop": f"jobs:\n{body}{loop}{step.format('after', 'command', 'count')}{after}",
        "loop-of-pipelines": f"jobs:\n{rounds}{loop}",
        "items": f"outputs:\n  models: {{type: mltable}}\njobs:\n{body}{each}    items: [{{n: 1}}, {{n: 2}}]\n"
        "    max_concurrency: 1\n    outputs:\n      model: ${{parent.outputs.models}}\n",
        "items-by-name": f"jobs:\n{body}{each}    items:\n      one: {{n: 1}}\n      two: {{n: 2}}\n",
        "items-json": f"jobs:\n{body}{each}    items: '[{{\"n\": 1}}]'\n",
        "choice": f"jobs:\n{body}{then}{choice}    true_block: ${{{{parent.jobs.then}}}}\n"
        "    false_block: ${{parent.jobs.otherwise}}\n",
        "choices": f"jobs:\n{body}{then}{choice}    true_block:\n      - ${{{{parent.jobs.then}}}}\n"
        "      - ${{parent.jobs.otherwise}}\n",
        "constant": f"jobs:\n{then}  choice:\n    type: if_else\n    condition: true\n"
        "    true_block: ${{parent.jobs.then}}\n",
    }.items():
        _add("job", f"flow/{name}.yml", "pipelineJob", head + text, preview=True)
    _add(
        "component",
        "flow/whole.yml",
        "pipelineComponent",
        f"name: whole_flow\ntype: pipeline\njobs:\n{rounds}{loop}",
        preview=True,
    )
    _add(
        "schedule",
        "flow/schedule.yml",
        "schedule",
        "name: flows\ntrigger:\n  type: recurrence\n  frequency: day\n  interval: 1\ncreate_job: ./loop.yml\n",
        preview=True,
    )


def _endpoints() -> None:
    online, batch = "endpoints/online", "endpoints/batch"
    _add("online_endpoint", f"{online}/endpoint.yml", "managedOnlineEndpoint", "name: online-one\nauth_mode: key\n")
    head = "endpoint_name: online-one\ninstance_type: Standard_DS3_v2\ninstance_count: 1\n"
    scoring = "code_configuration:\n  code: ../../src\n  scoring_script: score.py\n"
    _add(
        "online_deployment",
        f"{online}/blue.yml",
        "managedOnlineDeployment",
        f"name: blue\n{head}model:\n  path: ../../weights/model.pkl\n{scoring}"
        f"environment:\n  image: {_IMAGE}\n  conda_file: ../../conda.yaml\n",
    )
    _add(
        "online_deployment",
        "endpoints/elsewhere/green.yml",
        "managedOnlineDeployment",
        "name: green\nendpoint_name: of-another-team\ninstance_type: Standard_DS3_v2\ninstance_count: 1\n"
        "model: azureml:team:3\n",
    )
    _add("batch_endpoint", f"{batch}/endpoint.yml", "batchEndpoint", "name: batch-one\nauth_mode: aad_token\n")
    environment = f"environment:\n  image: {_IMAGE}\n  conda_file: ../../conda.yaml\n"
    common = f"endpoint_name: batch-one\ncompute: azureml:cpu-cluster\n{scoring}{environment}"
    _add(
        "model_batch_deployment",
        f"{batch}/model.yml",
        "modelBatchDeployment",
        f"name: scores\ntype: model\n{common}model:\n  path: ../../weights/model.pkl\n"
        "resources: {instance_count: 1}\nsettings:\n  mini_batch_size: 10\n  output_action: append_row\n",
    )
    _add(
        "batch_deployment",
        f"{batch}/first.yml",
        "batchDeployment",
        f"name: first\n{common}model:\n  path: ../../weights/model.pkl\nresources: {{instance_count: 1}}\n"
        "max_concurrency_per_instance: 2\nmini_batch_size: 10\noutput_action: append_row\n"
        "retry_settings: {max_retries: 3, timeout: 30}\nerror_threshold: -1\nlogging_level: info\n",
    )


for _part in (
    *(_environments, _data_and_models, _templates, _components),
    *(_jobs, _pipelines, _control_flow, _endpoints),
):
    _part()


def write(root: Path) -> None:
    """Write every file below a folder."""
    for path, text in FILES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
