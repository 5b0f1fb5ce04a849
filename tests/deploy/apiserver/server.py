"""kube-apiserver and etcd, built from their Go modules and run on the loopback interface without anything else of Kubernetes.

go.mod and go.sum beside this file pin them. They are built once, into a folder outside the checkout that is named after both.
"""

import hashlib
import json
import os
import re
import shutil
import ssl
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from stack.process import Process, clean_environment, free_ports, wait_until

from ..conftest import fetching

HERE = Path(__file__).resolve().parent
PACKAGES = {"kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver", "etcd": "go.etcd.io/etcd/server/v3"}
BUILD_SECONDS = 3600
TOKEN = "the-token-of-the-tests"


def programs() -> Path:
    """The folder with both programs. Raises `fetching.NotToBeHad`."""
    modules = (HERE / "go.mod").read_text()
    flags = linker_flags(modules)
    mark = hashlib.sha256(f"{flags}{modules}{(HERE / 'go.sum').read_text()}".encode()).hexdigest()[:16]
    folder = fetching.cache(f"apiserver-{mark}")
    if all((folder / name).exists() for name in PACKAGES):
        return folder
    if not shutil.which("go"):
        raise fetching.NotToBeHad("there is no Go to build kube-apiserver with")
    folder.mkdir(parents=True, exist_ok=True)
    for name, package in PACKAGES.items():
        fresh = folder / f"{name}.{os.getpid()}"
        done = subprocess.run(["go", "build", "-trimpath", f"-ldflags={flags}", "-o", fresh, package], cwd=HERE, env={**os.environ, "CGO_ENABLED": "0"},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=BUILD_SECONDS)
        if done.returncode:
            raise fetching.NotToBeHad(f"go build {package}: {done.stderr.strip()[-1000:]}")
        fresh.rename(folder / name)
    return folder


def linker_flags(modules: str) -> str:
    """The version that the server says it has: Helm compares it with the chart's `kubeVersion`."""
    found = re.search(r"k8s\.io/kubernetes v((\d+)\.(\d+)\.\d+)\b", modules)
    assert found, "go.mod names no version of Kubernetes"
    stamp = {"gitVersion": f"v{found[1]}", "gitMajor": found[2], "gitMinor": found[3]}
    return " ".join(["-s -w", *(f"-X k8s.io/component-base/version.{name}={value}" for name, value in stamp.items())])


class ApiServer:
    """The API of an empty cluster: it admits and refuses objects, and nobody acts on them."""

    def __init__(self, programs: Path, folder: Path):
        client, peer, self.port = free_ports(3)
        self._folder, self._resources = folder, {}
        folder.mkdir(parents=True, exist_ok=True)
        etcd = {"data-dir": folder / "etcd", "listen-client-urls": f"http://127.0.0.1:{client}", "advertise-client-urls": f"http://127.0.0.1:{client}",
                "listen-peer-urls": f"http://127.0.0.1:{peer}", "initial-advertise-peer-urls": f"http://127.0.0.1:{peer}",
                "initial-cluster": f"default=http://127.0.0.1:{peer}", "unsafe-no-fsync": "true"}
        server = {"etcd-servers": f"http://127.0.0.1:{client}", "bind-address": "127.0.0.1", "advertise-address": "127.0.0.1", "secure-port": self.port,
                  "cert-dir": folder / "certificates", "token-auth-file": folder / "tokens.csv", "authorization-mode": "AlwaysAllow",
                  "endpoint-reconciler-type": "none", "service-cluster-ip-range": "10.0.0.0/24", "service-account-issuer": "https://127.0.0.1",
                  "service-account-key-file": folder / "accounts.key", "service-account-signing-key-file": folder / "accounts.key"}
        self._processes = [Process(name, [str(programs / name), *(f"--{option}={value}" for option, value in options.items())], clean_environment(),
                                   folder / f"{name}.log") for name, options in [("etcd", etcd), ("kube-apiserver", server)]]

    def start(self) -> None:
        (self._folder / "tokens.csv").write_text(f'{TOKEN},tests,tests,"system:masters"\n')
        subprocess.run(["openssl", "genrsa", "-out", self._folder / "accounts.key", "2048"], check=True, capture_output=True)
        for process in self._processes:
            process.start()

        def ready() -> bool:
            for process in self._processes:
                assert process.runs(), f"{process.name} ended:\n{process.tail()}"
            try:
                return self.ask("GET", "/readyz", as_json=False) == "ok"
            except (OSError, Refused):
                return False

        wait_until(ready, 120, "kube-apiserver is ready", every=0.3)

    def kill(self) -> None:
        for process in reversed(self._processes):
            process.kill()

    def kubeconfig(self) -> Path:
        """For Helm."""
        path = self._folder / "kubeconfig.json"
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": f"https://127.0.0.1:{self.port}", "insecure-skip-tls-verify": True}}],
            "users": [{"name": "u", "user": {"token": TOKEN}}]}))
        return path

    def ask(self, method: str, path: str, body: object = None, as_json: bool = True) -> Any:
        """A response, or Refused with the server's words."""
        # It made the certificate itself, a moment ago, on this machine.
        trusting = ssl._create_unverified_context()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trusting))
        request = urllib.request.Request(f"https://127.0.0.1:{self.port}{path}", method=method, data=None if body is None else json.dumps(body).encode(),
                                         headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"})
        try:
            with opener.open(request, timeout=30) as response:
                text = response.read().decode()
        except urllib.error.HTTPError as error:
            raise Refused(error.code, error.read().decode()) from None
        return json.loads(text) if as_json else text

    def create(self, document: dict, namespace: str, dry_run: bool = True) -> dict:
        """POSTs an object. With `dry_run` it passes every check and is not stored; an unknown field is refused."""
        version = document["apiVersion"]
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if version not in self._resources:
            self._resources[version] = {found["kind"]: found for found in self.ask("GET", root)["resources"] if "/" not in found["name"]}
        resource = self._resources[version][document["kind"]]
        place = f"/namespaces/{namespace}" if resource["namespaced"] else ""
        options = urllib.parse.urlencode({"fieldValidation": "Strict", **({"dryRun": "All"} if dry_run else {})})
        return self.ask("POST", f"{root}{place}/{resource['name']}?{options}", document)


class Refused(Exception):
    """The server's answer to what it does not admit."""

    def __init__(self, code: int, text: str):
        super().__init__(f"{code}: {text}")
        self.code, self.text = code, text
