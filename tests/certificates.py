"""A self-signed certificate for servers on this machine."""

import subprocess
from pathlib import Path


def certify(directory: Path) -> Path:
    """Write ``cert.pem`` and ``key.pem`` for 127.0.0.1, and return their directory."""
    command: list[str | Path] = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", directory / "key.pem", "-out", directory / "cert.pem"]
    subprocess.run(command, check=True, capture_output=True)
    return directory
