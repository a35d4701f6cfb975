"""The distributions: they build, hold what they should, and work where only they are."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

from support import PROJECT, SAMPLES

PACKAGE_FILES = [
    *(PROJECT / "fitlog").rglob("*.py"),
    *(PROJECT / "parsers" / "fitlog_parsers").rglob("*.py"),
]


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the wheel and the sdist were built into, from what is installed here."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, PROJECT],
        check=True,
        capture_output=True,
        timeout=300,
    )
    return folder


def test_the_wheel_holds_both_packages_their_data_and_the_licence(dist: Path) -> None:
    (wheel,) = dist.glob("mxfitlog-*.whl")

    names = zipfile.ZipFile(wheel).namelist()

    for path in PACKAGE_FILES:
        root = PROJECT / "parsers" if "fitlog_parsers" in path.parts else PROJECT
        assert path.relative_to(root).as_posix() in names
    for name in (
        "fitlog/py.typed",
        "fitlog_parsers/py.typed",
        "fitlog/run/data/digits.npz",
        "fitlog/run/data/README.md",
    ):
        assert name in names
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if "dist-info" not in top} == {"fitlog", "fitlog_parsers"}
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_sdist_holds_what_its_tests_need(dist: Path) -> None:
    (sdist,) = dist.glob("mxfitlog-*.tar.gz")

    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    for name in (
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "tests/support.py",
        "sample_logs/canonical.log",
        "sample_logs/golden/canonical.jsonl",
        "benchmarks/overhead.py",
        "docs/gate.md",
        "action.yml",
        "parsers/fitlog_parsers/reader.py",
    ):
        assert name in names
    assert not [name for name in names if "__pycache__" in name or name.startswith("runs")]


def test_the_wheel_works_in_an_environment_of_its_own(dist: Path, tmp_path: Path) -> None:
    (wheel,) = dist.glob("mxfitlog-*.whl")
    environment = tmp_path / "env"
    venv.create(environment, with_pip=False, symlinks=True)
    # The dependencies are lent from here, for a test must not need the network.
    site = environment / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    lent = site / "site-packages" / "lent.pth"
    lent.write_text(sysconfig.get_paths()["purelib"] + "\n")
    python = environment / "bin" / "python"
    subprocess.run(
        [sys.executable, "-m", "pip", f"--python={python}", "install", "--no-deps", "--no-index",
         "--quiet", "--disable-pip-version-check", "--ignore-installed", wheel],
        check=True,
        timeout=120,
    )  # fmt: skip
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    where = subprocess.run(
        [python, "-c", "import fitlog, fitlog_parsers as p; print(fitlog.__file__, p.__file__)"],
        cwd=elsewhere, check=True, capture_output=True, text=True,
    )  # fmt: skip
    done = subprocess.run(
        [environment / "bin" / "fitlog", "parse", SAMPLES / "canonical.log"],
        cwd=elsewhere, check=True, capture_output=True, text=True, timeout=120,
    )  # fmt: skip

    assert all(Path(path).is_relative_to(environment) for path in where.stdout.split())
    assert len(done.stdout.splitlines()) == 4


def test_the_extras_are_those_that_the_readme_names() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]

    assert set(project["optional-dependencies"]) == {
        *("mxnet", "gpu", "parquet", "zstd", "tensorboard", "mlflow", "wandb", "report", "docs"),
        *("terminal", "archive", "s3", "dask", "dev"),
    }
    for extra in project["optional-dependencies"]:
        assert f"`{extra}`" in (PROJECT / "README.md").read_text()
