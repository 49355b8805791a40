"""Deleting what a sandbox's users own."""

from __future__ import annotations

from pathlib import Path

from ci_utils.sandbox.sandbox import Bind, Host, Sandbox
from ci_utils.sandbox.trees import remove_tree, writable_directory
from tests.ci_utils.sandbox.conftest import Run


def test_a_tree_of_another_user_is_deleted(run: Run, tmp_path: Path):
    tree = writable_directory(tmp_path / "tree")
    sandbox = Sandbox(Host(), binds=[Bind(tree, "/mnt/tree", read_only=False)])
    run(sandbox, "mkdir -p /mnt/tree/a/b && echo x > /mnt/tree/a/b/c && chmod 000 /mnt/tree/a/b /mnt/tree/a")
    remove_tree(tree)
    assert not tree.exists()


def test_a_link_in_the_tree_is_not_followed(tmp_path: Path):
    keep = tmp_path / "keep"
    keep.write_text("kept")
    tree = writable_directory(tmp_path / "tree")
    (tree / "link").symlink_to(tmp_path)
    remove_tree(tree)
    assert keep.read_text() == "kept"


def test_deleting_what_is_gone_does_nothing(tmp_path: Path):
    remove_tree(tmp_path / "none")
