"""What the Glue job installs holds what its scripts import, and nothing of Django."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

from tests.architecture.repository import PROJECT, read

spec = importlib.util.spec_from_file_location("glue_package", PROJECT / "infra/glue_package.py")
assert spec is not None
assert spec.loader is not None
package = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)

PROBE = """
import sys
from etl.gold.compile import load_models
from etl.quality.suites import SUITES_FOLDER
from lakehouse_admin.adapters.aws import drift_main, glue_main
import etl.jobs.dms_intake
assert load_models() and list(SUITES_FOLDER.glob("*.yaml"))
assert sys.argv[1] in glue_main.__file__, glue_main.__file__
assert "django" not in sys.modules, "Django came along"
"""


def test_the_wheel_alone_runs_the_scripts(tmp_path: Path):
    wheel = package.build_wheel(tmp_path)
    with ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    environment = {"PYTHONPATH": str(tmp_path / "installed"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-P", "-c", PROBE, str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_same_sources_make_the_same_bytes(tmp_path: Path):
    (tmp_path / "again").mkdir()
    assert package.build_wheel(tmp_path).read_bytes() == package.build_wheel(tmp_path / "again").read_bytes()


def test_what_glue_brings_itself_is_left_out():
    lock = package.library_lock(read("requirements-spark.txt"))
    assert "\npyspark==" not in lock
    assert "\npy4j==" not in lock
    assert "\npyiceberg==" in lock
    assert lock.count("--hash=sha256:") > 100


def test_another_name_is_refused(tmp_path: Path):
    assert package.main([str(tmp_path / "wheels.zip")]) == 2
    assert not list(tmp_path.iterdir())
