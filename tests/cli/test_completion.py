"""`ubuntu-ci completion`: scripts that the shells themselves accept."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from cli.completion import SHELLS
from cli.exit_codes import Exit


@pytest.fixture(params=SHELLS)
def script(request, ubuntu_ci, tmp_path, capsys) -> tuple[str, Path]:
    """A shell and the file of its script."""
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    assert ubuntu_ci("completion", request.param) == Exit.OK
    path = tmp_path / f"completion.{request.param}"
    path.write_text(capsys.readouterr().out)
    return request.param, path


def test_the_shell_reads_its_script(script):
    shell, path = script
    done = subprocess.run([shell, "-n", path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("create",), {"create_ticket"}),
        (("get_image", "--out"), {"--output"}),
        (("results", "3", "--format", "j"), {"junit", "json"}),
        (("logs", "3", "bu"), {"build"}),
    ],
)
def test_bash_completes_commands_options_and_values(ubuntu_ci, tmp_path, capsys, words, expected):
    ubuntu_ci("completion", "bash")
    path = tmp_path / "script"
    path.write_text(capsys.readouterr().out)
    function = next(
        line.split()[-2] for line in path.read_text().splitlines() if line.startswith("complete ")
    )
    line = ("ubuntu-ci", *words)
    commands = f"""
        source {path}
        COMP_WORDS=({" ".join(line)}); COMP_CWORD={len(words)}
        {function} ubuntu-ci
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", commands], capture_output=True, text=True, check=True)
    assert {word.strip() for word in done.stdout.splitlines()} == expected


def test_fish_completes_commands(ubuntu_ci, tmp_path, capsys):
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed")
    ubuntu_ci("completion", "fish")
    path = tmp_path / "script.fish"
    path.write_text(capsys.readouterr().out)
    command = f"source {path}; complete --do-complete 'ubuntu-ci get_'"
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        ["fish", "-N", "-c", command], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.split()[0] == "get_image"


def test_another_shell_is_refused(ubuntu_ci):
    assert ubuntu_ci("completion", "tcsh") == Exit.USAGE
