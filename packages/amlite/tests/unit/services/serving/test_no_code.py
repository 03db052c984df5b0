from __future__ import annotations

from pathlib import Path

import pytest

from amlite.core.errors import AzureError
from amlite.services.environments import UnusableEnvironment
from amlite.services.serving import no_code


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        stem, _, suffix = name.rpartition("_")
        (folder / (f"{stem}.{suffix}" if stem else name)).write_text(text)
    return folder


BROUGHT = ("setuptools<81", "wheel")  # by conda's pip


def test_a_models_conda_file_is_taken_with_what_serving_needs(tmp_path: Path) -> None:
    conda = "dependencies:\n- python=3.11.4\n- pip<=24.0\n- pip: [mlflow==2.16.2, scikit-learn==1.5.0]\n"
    found = no_code.packages_of(write(tmp_path, MLmodel="", conda_yaml=conda), tmp_path)
    assert found.python == "3.11"
    own = ("pip<=24.0", "mlflow==2.16.2", "scikit-learn==1.5.0")
    assert found.requirements == (no_code.SERVER, *own, *BROUGHT, "pandas")


def test_without_a_conda_file_the_requirements_are_taken(tmp_path: Path) -> None:
    model = write(tmp_path, MLmodel="", requirements_txt="pandas==2.2.3\n\n", python_env_yaml="python: 3.12.1\n")
    found = no_code.packages_of(model, tmp_path)
    assert (found.python, found.requirements) == ("3.12", (no_code.SERVER, "pandas==2.2.3", *BROUGHT, "mlflow-skinny"))


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"conda_yaml": "dependencies: []"}, "no file 'MLmodel'"),
        ({"MLmodel": ""}, "neither conda.yaml nor requirements.txt"),
        ({"MLmodel": "", "conda_yaml": "dependencies: [openjdk]"}, "openjdk"),
        ({"MLmodel": "", "requirements_txt": "-r other.txt"}, "names a file that is not part of the environment"),
    ],
)
def test_models_that_cannot_be_served_say_why(tmp_path: Path, files: dict[str, str], reason: str) -> None:
    with pytest.raises(UnusableEnvironment, match=reason):
        no_code.packages_of(write(tmp_path, **files), tmp_path)


@pytest.mark.attack
@pytest.mark.parametrize("name", ["conda.yaml", "python_env.yaml", "requirements.txt"])
def test_a_server_that_is_started_again_links_to_no_file_elsewhere(tmp_path: Path, name: str) -> None:
    """It can write to its folder, and the log would have the lines that are not requirements."""
    (tmp_path / "secret").write_text("SECRET", "utf-8")
    (tmp_path / "server").mkdir()
    model = write(tmp_path / "server", MLmodel="", requirements_txt="mlflow")
    (model / name).unlink(missing_ok=True)
    (model / name).symlink_to(tmp_path / "secret")
    with pytest.raises(AzureError, match="Copy the file instead of linking it"):
        no_code.packages_of(model, tmp_path / "server")
