"""What would lose or leak a secret without anybody's doing."""

import subprocess
from pathlib import Path

from nixsecrets.age.ssh import generate_ed25519
from nixsecrets.system.lock import state_directory
from tests.cli.scenes import Scene
from tests.tools import require_sops

SET = ("set", "host/hq:restic/password", "--yes")


def test_a_pipe_that_brings_nothing_leaves_the_value(fleet: Scene) -> None:
    fleet.done(*SET, "--generate")
    before = fleet.tree()
    ended = fleet.run(*SET)
    assert (ended.status, fleet.tree()) == (2, before)
    assert "nothing came on stdin" in ended.stderr


def test_a_private_key_keeps_its_final_newline(fleet: Scene, tmp_path: Path) -> None:
    private, _ = generate_ed25519("root@backup")
    file = tmp_path / "id"
    file.write_bytes(private.reveal())
    fleet.done(*SET, "--from-file", str(file))
    ended = fleet.run("get", "host/hq:restic/password")
    assert ended.stdout == private.reveal()


def test_a_value_that_a_rule_about_comments_leaves_in_clear_is_told(bare: Scene) -> None:
    bare.done("init", "--admin", "ann", "--yes")
    plain = "# public below\nb: one\nc: two\n"
    (bare.root / "x.yaml").write_text(plain)
    policy = bare.root / ".sops.yaml"
    recipient = next(w for w in policy.read_text().split() if w.startswith("age1"))
    with policy.open("a") as stream:
        stream.write(f"  - path_regex: ^x\\.yaml$\n    age: {recipient}\n")
        stream.write("    unencrypted_comment_regex: public\n")
    arguments = [require_sops(), "--config", policy, "encrypt", "-i", "x.yaml"]
    subprocess.run(arguments, cwd=bare.root, check=True, capture_output=True)
    told = bare.run("set", "b", "--file", "x.yaml", "--generate", "--dry-run").text
    assert "will stand in clear" in told
    told = bare.run("set", "c", "--file", "x.yaml", "--generate", "--dry-run").text
    assert "in clear" not in told


def test_a_document_of_a_nearer_policy_is_not_changed_by_another(fleet: Scene) -> None:
    folder = fleet.root / "sub"
    folder.mkdir()
    (folder / ".sops.yaml").write_text((fleet.root / ".sops.yaml").read_text())
    fleet.done(*SET, "--generate")
    (folder / "s.yaml").write_bytes((fleet.root / "systems/hq/secrets.yaml").read_bytes())
    before = fleet.tree()
    for command in (("rekey",), ("rotate", "data-keys")):
        ended = fleet.run(*command, "sub/s.yaml", "--yes")
        assert (ended.status, fleet.tree()) == (3, before)
        assert "has a policy of its own" in ended.stderr


def test_fleets_of_one_work_tree_have_journals_of_their_own(tmp_path: Path) -> None:
    git = tmp_path / ".git"
    git.mkdir()
    places = {state_directory(tmp_path / name, git) for name in ("", "a", "b")}
    assert len(places) == 3
    assert {place.parent for place in places} == {git}
