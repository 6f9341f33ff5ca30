"""Makes what the Glue job installs: one archive of wheels, ours and those of its libraries.

    python infra/glue_package.py [FILE]        (make glue-package; var/glue/lakeside.gluewheels.zip)

Glue 5 takes a zip whose name ends in ``.gluewheels.zip`` and holds ``wheels/requirements.txt`` and the
wheels; with ``--no-index`` it asks no package index, so a job in a network without a way out can
be started. The same sources give the same bytes, so Terraform replaces it only if something changed.

Source: AWS Glue developer guide, "Using Python libraries", appendix on zips of wheels.
"""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

PROJECT = Path(__file__).resolve().parent.parent
DEFAULT = PROJECT / "var" / "glue" / "lakeside.gluewheels.zip"

_OURS = ("etl/**/*", "lakehouse_admin/__init__.py", "lakehouse_admin/adapters/__init__.py")
_AWS = "lakehouse_admin/adapters/aws/*.py"
_OF_GLUE = frozenset({"pyspark", "py4j"})
"""Glue's own Spark takes their place."""
_PYTHON = "3.11"
_PLATFORMS = ("manylinux2014_x86_64", "manylinux_2_28_x86_64", "manylinux_2_34_x86_64")
"""Amazon Linux 2023 has glibc 2.34."""
_LONG_AGO = (2020, 1, 1, 0, 0, 0)


def main(arguments: list[str]) -> int:
    """Write the archive and say where it is."""
    target = Path(arguments[0]).resolve() if arguments else DEFAULT
    if not target.name.endswith(".gluewheels.zip"):
        sys.stderr.write("Glue takes an archive of wheels for one only if its name ends in .gluewheels.zip.\n")
        return 2
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        wheels = Path(folder)
        build_wheel(wheels)
        try:
            download(wheels, library_lock((PROJECT / "requirements-spark.txt").read_text(encoding="utf-8")))
        except subprocess.CalledProcessError as error:
            sys.stderr.write(f"{error.stderr}\nThe libraries' wheels could not be fetched; nothing was written.\n")
            return 1
        bundle = wheels / target.name
        with ZipFile(bundle, "w", ZIP_DEFLATED) as archive:
            found = sorted(wheels.glob("*.whl"))
            names = "".join(f"./{path.name}\n" for path in found)
            _add(archive, "wheels/requirements.txt", names.encode())
            for path in found:
                _add(archive, f"wheels/{path.name}", path.read_bytes())
        bundle.replace(target)
    sys.stdout.write(f"{target}: {len(found)} wheels, {target.stat().st_size / 1e6:.0f} MB\n")
    return 0


def build_wheel(folder: Path) -> Path:
    """Write the wheel of what runs in Glue: the data path, and the adapters that its scripts use."""
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    info = f"lakeside_glue-{version}.dist-info"
    files = {str(path.relative_to(PROJECT)): path.read_bytes() for path in our_files()}
    files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: lakeside-glue\nVersion: {version}\n".encode()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: lakeside\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = "".join(f"{name},sha256={_digest(body)},{len(body)}\n" for name, body in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    path = folder / f"lakeside_glue-{version}-py3-none-any.whl"
    with ZipFile(path, "w", ZIP_DEFLATED) as wheel:
        for name, body in files.items():
            _add(wheel, name, body)
    return path


def our_files() -> Iterator[Path]:
    """Yield the modules, SQL models and check suites that go along."""
    for pattern in (*_OURS, _AWS):
        for path in sorted(PROJECT.glob(pattern)):
            if path.is_file() and path.suffix in {".py", ".sql", ".yaml"}:
                yield path


def library_lock(lock: str) -> str:
    """Return the lock file without what Glue brings itself."""
    blocks = re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE)
    return "".join(block for block in blocks if re.split(r"[\[=\s]", block)[0].lower() not in _OF_GLUE)


def download(folder: Path, lock: str) -> None:
    """Fetch the wheels that the lock names, for Glue's Python, held to its hashes.

    Raises:
        CalledProcessError: pip could not.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.write(lock)
        file.flush()
        platforms = [f"--platform={platform}" for platform in _PLATFORMS]
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        command += ["--require-hashes", f"--python-version={_PYTHON}", *platforms, f"--dest={folder}", "-r", file.name]
        subprocess.run(command, check=True, stderr=subprocess.PIPE, text=True)


def _digest(body: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=").decode()


def _add(archive: ZipFile, name: str, body: bytes) -> None:
    entry = ZipInfo(name, date_time=_LONG_AGO)
    entry.external_attr = 0o644 << 16
    entry.compress_type = ZIP_DEFLATED
    archive.writestr(entry, body)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
