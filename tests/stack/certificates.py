"""A certificate authority for the tests, and a certificate for this machine."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificates:
    """PEM files: the authority that clients trust, and the certificate of servers on `localhost`."""

    authority: Path
    certificate: Path
    key: Path
    both: Path
    """Key and certificate in one file, as Kafka wants them."""

    @classmethod
    def make(cls, folder: Path) -> "Certificates":
        """Creates an authority and a certificate, valid for two days."""
        def openssl(*arguments: str) -> None:
            done = subprocess.run(["openssl", *arguments], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, done.stderr

        folder.mkdir(parents=True, exist_ok=True)
        (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        new = ("-newkey", "rsa:2048", "-nodes")
        openssl("req", "-x509", *new, "-keyout", "authority.key", "-out", "authority.pem", "-days", "2", "-subj", "/CN=Authority of the tests")
        openssl("req", *new, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
        openssl("x509", "-req", "-in", "server.csr", "-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial", "-days", "2",
                "-extfile", "names", "-out", "server.pem")
        both = folder / "server-both.pem"
        both.write_text((folder / "server.key").read_text() + (folder / "server.pem").read_text())
        return cls(folder / "authority.pem", folder / "server.pem", folder / "server.key", both)
