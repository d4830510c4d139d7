"""OpenSSH's server on a free port of 127.0.0.1, with its own keys, ended by pid.

Whoever runs the tests is the user that logs in; nothing of the machine's own ssh is read.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from fireproof.processes import kill_tree
from support.postgres import free_port

PROGRAM = "/usr/sbin/sshd"
_PRIVILEGE_SEPARATION = Path("/run/sshd")  # asked for when root starts it; compiled in
_CONFIG = """\
ListenAddress 127.0.0.1:{port}
HostKey "{home}/host_key"
AuthorizedKeysFile "{home}/user_key.pub"
PidFile none
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
Subsystem sftp internal-sftp
"""


class Sshd:
    """A host to log in to; may be stopped and started again on the same port."""

    def __init__(self, home: Path) -> None:
        self.home = home
        home.mkdir(mode=0o700)
        self.port = free_port()
        self.user = getpass.getuser()
        for name in ("host_key", "user_key", "other_key"):
            argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", home / name]
            subprocess.run(argv, check=True)
        (home / "config").write_text(_CONFIG.format(port=self.port, home=home))
        self.know("host_key")
        self._made = os.geteuid() == 0 and not _PRIVILEGE_SEPARATION.exists()
        if self._made:
            _PRIVILEGE_SEPARATION.mkdir(mode=0o755)
        self._server: subprocess.Popen[bytes] | None = None
        self.start()

    def know(self, key: str) -> None:
        """What clients are told this host's key is."""
        public = (self.home / f"{key}.pub").read_text()
        (self.home / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {public}")

    def inventory(self, *names: str) -> str:
        """Ansible's inventory in which this host has these names."""
        words = f"ansible_host=127.0.0.1 ansible_port={self.port} ansible_user={self.user}"
        words += f" ansible_remote_tmp='{self.home}/ansible'"
        words += f" ansible_python_interpreter={sys.executable}"
        return "[databases]\n" + "".join(f"{name} {words}\n" for name in names)

    def start(self) -> None:
        """Listening when it returns."""
        with (self.home / "log").open("ab") as log:
            argv = [PROGRAM, "-D", "-e", "-f", str(self.home / "config")]
            self._server = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        give_up_at = time.monotonic() + 10
        while time.monotonic() < give_up_at and self._server.poll() is None:
            with socket.socket() as line:
                if line.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise RuntimeError((self.home / "log").read_text())

    def stop(self) -> None:
        """Gone, and every connection with it."""
        if self._server is not None:
            kill_tree(self._server.pid)
            self._server.wait(10)
            self._server = None

    def close(self) -> None:
        self.stop()
        if self._made:
            with contextlib.suppress(OSError):
                _PRIVILEGE_SEPARATION.rmdir()
        shutil.rmtree(self.home, ignore_errors=True)
