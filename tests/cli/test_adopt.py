"""init and status at the door, on repositories that have sops-nix; and on those of real people."""

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.cli.scenes import Scene
from tests.plans.adopted import OLD, Made, Old, keys, machines, make, rule
from tests.tools import require_tool

ASKED = Old(
    {
        ".sops.yaml": keys(ann="ann", desktop="hq", portable="t460")
        + rule("hosts/hq/.*", "ann", "desktop")
        + rule("hosts/x/.*", "ann", "portable")
    },
    {"hosts/hq/secrets.yaml": "ann hq"},
    {},
    files=machines("hosts/hq"),
)
STATES = {
    "in step",
    "out of step",
    "no rule",
    "foreign recipients",
    "damaged",
    "not encrypted",
}


def corpus() -> list[Path]:
    folder = os.environ.get("NIXSECRETS_CORPUS")
    if folder is None:
        return []
    return sorted(path for path in Path(folder).iterdir() if path.is_dir() and path.name[0] != "_")


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    require_tool("git")
    found = Scene(tmp_path)
    found.root.mkdir()
    found.home.mkdir()
    return found


def known_to_git(scene: Scene) -> None:
    scene.git("init", "--quiet")
    scene.git("add", ".")


def made_in(scene: Scene, old: Old) -> Made:
    made = make(old, scene.root)
    known_to_git(scene)
    return made


def contents(root: Path) -> dict[str, bytes]:
    files = (file for file in root.rglob("*") if file.is_file())
    return {
        str(file.relative_to(root)): file.read_bytes()
        for file in files
        if ".git" not in file.relative_to(root).parts
    }


def rows(scene: Scene) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(scene.done("status", "--json"))["rows"]
    return found


def test_check_and_get_work_right_after_init(scene: Scene) -> None:
    made = made_in(scene, OLD["a host key says whose anchor it is"])
    private = made.machines["hq"].private.reveal()
    ssh = scene.home / ".ssh"
    ssh.mkdir(mode=0o700)
    (ssh / "id_ed25519").write_bytes(private)
    (ssh / "id_ed25519").chmod(0o600)
    scene.done("init", "--yes")
    assert scene.run("check").status == 0
    assert scene.done("get", "host/hq:token") == "x"
    assert scene.done("get", "token") == "x"


def test_without_a_terminal_the_missing_flag_is_named(scene: Scene) -> None:
    made_in(scene, ASKED)
    ended = scene.run("init", "--yes")
    assert ended.status == 2
    assert "is the one of hq" in ended.stderr
    assert "--host hq=desktop" in ended.stderr
    assert "nixsecrets.yaml" not in contents(scene.root)


@pytest.mark.parametrize(
    ("typed", "anchor"),
    [pytest.param("1", "desktop", id="number"), pytest.param("portable", "portable", id="name")],
)
def test_at_a_terminal_it_is_asked(scene: Scene, typed: str, anchor: str) -> None:
    made_in(scene, ASKED)
    status, screen = scene.talk(("init", "--yes"), ("which anchor is hq's?", f"{typed}\n"))
    assert status == 0, screen
    assert f"anchor: {anchor}" in (scene.root / "nixsecrets.yaml").read_text()


def test_none_is_an_answer_too(scene: Scene) -> None:
    made_in(scene, ASKED)
    status, screen = scene.talk(
        ("init", "--yes"), ("which anchor is hq's?", "what\n"), ("which anchor is hq's?", "none\n")
    )
    assert status == 0, screen
    assert "keys/hosts/hq.pub" not in contents(scene.root)


def test_a_recipient_that_the_policy_lacks_is_refused(scene: Scene) -> None:
    made_in(scene, ASKED)
    stranger = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
    ended = scene.run("init", "--yes", "--recipient", stranger)
    assert ended.status == 2
    assert f"does not name {stranger}" in ended.stderr


def test_one_damaged_document_stops_neither_ls_nor_get_of_others(scene: Scene) -> None:
    made = made_in(scene, OLD["a policy below the root"])
    text = made.tree.read("machines/hq/extra.yaml")
    made.tree.write({"machines/hq/extra.yaml": text.replace("mac:", "mac_gone:")})
    scene.done("init", "--yes")
    for command in (("ls",), ("status",)):
        ended = scene.run(*command)
        assert ended.status == 0, ended
        assert "machines/hq" in ended.text or "host/hq:token" in ended.text
    assert "passed over: machines/hq/extra.yaml" in scene.run("ls").stderr
    assert scene.run("get", "token").status == 4  # found, and nobody here opens it


def test_status_needs_no_manifest_and_no_policy_at_the_root(scene: Scene) -> None:
    made_in(scene, OLD["a policy below the root"])
    assert {row["document"]: row["state"] for row in rows(scene)} == {
        "infra/dns.yaml": "in step",
        "machines/hq/extra.yaml": "in step",
        "machines/hq/secrets.yaml": "in step",
    }


@pytest.mark.skipif(not corpus(), reason="NIXSECRETS_CORPUS names no folder of real repositories")
@pytest.mark.parametrize("folder", corpus(), ids=lambda folder: folder.name)
def test_a_real_repository_is_classified_adopted_and_checked(folder: Path, scene: Scene) -> None:
    shutil.copytree(folder, scene.root, dirs_exist_ok=True)
    known_to_git(scene)
    before = contents(scene.root)
    told = rows(scene)
    assert {row["document"] for row in told} >= {
        path for path, content in before.items() if b"sops_version" in content
    }
    assert len(told) == len(before) - sum(Path(path).name == ".sops.yaml" for path in before)
    assert {row["state"] for row in told} <= STATES - {"damaged", "not encrypted"}
    scene.done("init", "--yes", "--skip-unknown")
    assert contents(scene.root).items() >= before.items()
    assert scene.run("check").status in (0, 1)
    assert {row["document"] for row in rows(scene)} == {row["document"] for row in told}
