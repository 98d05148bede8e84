from pathlib import Path

import pytest

from tests.age.plugins import identity, install, recipient
from tests.cli.scenes import Scene

TOLD = "3 documents are opened by a plugin alone"


@pytest.fixture
def hardware(bare: Scene, tmp_path: Path) -> Scene:
    """Return a policy and three documents of somebody whose identity is a plugin's."""
    folder = tmp_path / "bin"
    folder.mkdir()
    scene = bare.with_variables(PATH=install(folder, tmp_path / "starts"))
    scene.identity_file.parent.mkdir(parents=True)
    scene.identity_file.write_text(f"{identity()}\n")
    scene.write(".sops.yaml", f"creation_rules:\n  - age: {recipient()}\n")
    for name in "abc":
        scene.done("set", f"file/many/{name}.yaml:x", "--yes", stdin=b"a value")
    scene.commit()
    return scene


def starts(scene: Scene) -> int:
    return (scene.folder / "starts").read_text().count("started")


def test_the_touches_of_a_whole_batch_are_told_before(hardware: Scene) -> None:
    before = starts(hardware)
    ended = hardware.run("rotate", "data-keys", "--yes")
    assert ended.status == 0, ended
    assert TOLD in ended.stderr
    assert starts(hardware) == before + 2 * 3  # to unwrap and to wrap, once each


def test_nothing_is_told_where_another_identity_opens_them(hardware: Scene) -> None:
    key = hardware.key("hq").with_suffix(".pub").read_text()
    hardware.write(".sops.yaml", f"creation_rules:\n  - age: {recipient()},{key.strip()}\n")
    assert "3 documents" in hardware.run("rekey", "--yes").stderr
    named = hardware.with_variables(SOPS_AGE_SSH_PRIVATE_KEY_FILE=str(hardware.key("hq")))
    ended = named.run("rotate", "data-keys", "--yes")
    assert ended.status == 0, ended
    assert "plugin alone" not in ended.stderr
