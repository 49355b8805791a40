"""The same sandbox when the engine is an ordinary user with subordinate ids."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ci_utils.sandbox.root import make_root

pytestmark = [pytest.mark.system]

USER = 65534
PROGRAM = """
import sys
from pathlib import Path
from ci_utils.sandbox.limits import Limits
from ci_utils.sandbox.sandbox import Bind, Overlay, Sandbox
from ci_utils.sandbox.trees import remove_tree, writable_directory

home, user = Path(sys.argv[1]), int(sys.argv[2])
upper = writable_directory(home / "layer")
results = writable_directory(home / "results")
out = sys.stdout.buffer
Sandbox(Overlay([home / "root"], upper=upper)).run(
    ["sh", "-c", "id -u; echo layer > /made; mkdir /closed; chmod 000 /closed"], log=out, timeout=100)
Sandbox(
    Overlay([upper / "upper", home / "root"]), binds=[Bind(results, "/results", read_only=False)],
    unprivileged=True, limits=Limits(),
).run(["sh", "-c", "id -u; cat /made; grep CapEff /proc/self/status; touch /results/x; ls /root"],
      log=out, timeout=100)
print((results / "x").stat().st_uid != user, flush=True)
remove_tree(upper)
print(upper.exists())
"""


@pytest.fixture
def home() -> Iterator[Path]:
    """A closed directory of the user, outside pytest's own that only root may enter."""
    directory = Path(tempfile.mkdtemp(prefix="uci-user-", dir="/tmp"))
    make_root(directory / "root")
    os.chown(directory, USER, USER)
    directory.chmod(0o700)
    yield directory
    shutil.rmtree(directory)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_an_ordinary_user_runs_sandboxes(home: Path, tmp_path: Path):
    subordinate = tmp_path / "subid"
    subordinate.write_text(f"{USER}:200000:65536\nnobody:200000:65536\n")
    # In a mount namespace of its own the user has subordinate ids; the host's files stay as they are.
    script = (
        f"mount --bind {subordinate} /etc/subuid && mount --bind {subordinate} /etc/subgid && "
        f'exec setpriv --reuid={USER} --regid={USER} --clear-groups "$@"'
    )
    command = ["unshare", "--mount", "sh", "-c", script, "sh"]
    if subprocess.run([*command, sys.executable, "-c", "import ci_utils"], check=False).returncode:
        pytest.skip("other users cannot read the directory that these tests run from")
    done = subprocess.run(
        [*command, sys.executable, "-c", PROGRAM, str(home), str(USER)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == [
        "0", "1000", "layer", "CapEff:\t0000000000000000", "True", "False",
    ]  # fmt: skip
