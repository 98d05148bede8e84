"""Bad input of every sort: a clear error, a hint, its exit status, and not one byte changed."""

import fcntl
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from nixsecrets.cli.group import ENTRIES, commands, load_command, run
from tests.cli.scenes import TOOL, Ended, Scene
from tests.system.children import become_nobody, give_to_nobody

DOCUMENT = "systems/hq/secrets.yaml"
NAME = "host/hq:nextcloud/admin-password"
SET = ("set", NAME, "--generate", "--yes")
T15G = ("add-host", "t15g", "--key", "../machines/t15g/ssh_host_ed25519_key.pub", "--yes")
BIG = 1 << 18
TRUSTING = {
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "safe.directory",
    "GIT_CONFIG_VALUE_0": "*",
}


@dataclass(frozen=True)
class Case:
    """What is spoilt, what is run then, and how it is told."""

    name: str
    spoil: Callable[[Scene], object]
    arguments: tuple[str, ...]
    status: int
    problem: str
    hint: str


def swap_leaves(scene: Scene) -> None:
    """Put the ciphertext of one value in the place of another."""
    lines = scene.read(DOCUMENT).splitlines()
    sealed = [line for line in lines if ": ENC[" in line and "mac:" not in line]
    one, other = (line.partition(": ") for line in sealed)
    text = scene.read(DOCUMENT).replace(other[2], "OTHER").replace(one[2], other[2])
    scene.write(DOCUMENT, text.replace("OTHER", one[2]))


def remove_leaf(scene: Scene) -> None:
    lines = scene.read(DOCUMENT).splitlines(keepends=True)
    gone = next(line for line in lines if line.lstrip().startswith("admin-password:"))
    parent = next(line for line in lines if line.startswith("nextcloud:"))
    scene.write(DOCUMENT, "".join(line for line in lines if line not in (gone, parent)))


def truncate(to: str) -> Callable[[Scene], None]:
    def cut(scene: Scene) -> None:
        scene.write(DOCUMENT, scene.read(DOCUMENT).partition(to)[0] + to)

    return cut


def edit(path: str, old: str, new: str) -> Callable[[Scene], None]:
    return lambda scene: scene.edit(path, old, new)


def write(path: str, text: str) -> Callable[[Scene], None]:
    return lambda scene: scene.write(path, text)


def other_identity(scene: Scene) -> None:
    scene.identity_file.unlink()
    scene.start("age-keygen", "-o", str(scene.identity_file))


def nothing(_scene: Scene) -> None:
    """Leave all as it is."""


CASES = (
    Case("a flipped ciphertext", edit(DOCUMENT, "data:", "data:AA"), SET, 5, DOCUMENT, "git log"),
    Case("ciphertexts swapped", swap_leaves, ("get", NAME), 5, "nextcloud/admin-password", "git"),
    Case("a value taken out", remove_leaf, ("get", "host/hq:restic/password"), 5, "MAC", "git log"),
    Case(
        "a value in clear put in",
        edit(DOCUMENT, "restic:", "planted: of somebody\nrestic:"),
        ("rotate", "data-keys", "--yes"),
        5,
        "planted",
        "git log",
    ),
    Case(
        "another lastmodified",
        edit(DOCUMENT, 'lastmodified: "20', 'lastmodified: "19'),
        ("rekey", "--yes"),
        0,
        "",
        "",
    ),
    Case("cut in a value", truncate("ENC[AES256_GCM,data:"), SET, 5, DOCUMENT, "git"),
    Case("cut in front of the metadata", truncate("type:str]\nsops"), SET, 5, DOCUMENT, "git"),
    Case(
        "cut in a stanza", truncate("-----BEGIN AGE ENCRYPTED FILE-----"), SET, 5, DOCUMENT, "git"
    ),
    Case("cut behind the stanzas", truncate("-----END AGE ENCRYPTED FILE-----"), SET, 5, "", "git"),
    Case("cut in front of the MAC", truncate("mac: "), SET, 5, DOCUMENT, "git"),
    Case("empty", write(DOCUMENT, ""), SET, 3, "is not encrypted", "git"),
    Case(
        "another identity", other_identity, SET, 4, "wrapped to 2", "it is wrapped for miscguy, hq"
    ),
    Case("a policy that is no YAML", write(".sops.yaml", "keys: [\n"), SET, 3, ".sops.yaml:", ""),
    Case(
        "a policy with a broken regular expression",
        edit(".sops.yaml", "^shared/secrets", "^shared/(secrets"),
        ("get", NAME),
        3,
        ".sops.yaml:8",
        "",
    ),
    Case(
        "a manifest with an unknown key",
        edit("nixsecrets.yaml", "  hq: { attribute: nixhq }", "  hq: { atribute: nixhq }"),
        SET,
        3,
        "nixsecrets.yaml:12:9: ",
        "attribute",
    ),
    Case("a manifest that is no YAML", write("nixsecrets.yaml", "a: [\n"), SET, 3, "yaml:", ""),
    Case("a damaged key file", write("keys/hosts/hq.pub", "x\n"), SET, 3, "keys/hosts/hq.pub", ""),
    Case("an unknown host", nothing, ("wire", "t15"), 3, "unknown host 't15'", "did you mean t15g"),
    Case(
        "a path that git ignores",
        lambda scene: scene.write(".gitignore", "rebuild.log\n*.pub\n"),
        T15G,
        3,
        "keys/hosts/t15g.pub is ignored by git (.gitignore:2: *.pub)",
        "take that line out of .gitignore",
    ),
    Case(
        "a document that is a folder",
        lambda scene: (scene.root / DOCUMENT).unlink() or (scene.root / DOCUMENT).mkdir(),
        SET,
        3,
        DOCUMENT,
        "",
    ),
    Case(
        "a link out of the repository",
        lambda scene: (scene.root / "keys/hosts/t15g.pub").symlink_to("/etc/elsewhere.pub"),
        T15G,
        3,
        "leads out of the repository",
        "",
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_input_is_told_and_changes_nothing(fleet: Scene, case: Case) -> None:
    case.spoil(fleet)
    before = fleet.tree()
    ended = fleet.run(*case.arguments)
    assert (ended.status, fleet.tree()) == (case.status, before), ended
    assert case.problem in ended.stderr
    assert case.hint in ended.stderr.partition("nixsecrets: hint: ")[2]


def test_a_second_run_at_the_same_time_is_refused(fleet: Scene) -> None:
    fleet.done(*SET)
    before = fleet.tree()
    with (fleet.root / ".git/nixsecrets/lock").open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        ended = fleet.run(*SET)
        reading = fleet.run("get", NAME)
    assert (ended.status, ended.text, fleet.tree()) == (7, "", before)
    assert "is changing this repository" in ended.stderr
    assert "hint: try again when it has ended" in ended.stderr
    assert reading.status == 0


def _new(file: Path) -> int:
    return os.open(file, os.O_WRONLY | os.O_CREAT, 0o600)


def as_nobody(scene: Scene, *arguments: str) -> Ended:
    """Run the tool without root, in a child of ours that has loaded it: nobody may not read it."""
    for entry in ENTRIES.values():
        load_command(entry)
    said = {name: scene.folder.parent / f"{scene.folder.name}-{name}" for name in ("out", "err")}
    pid = os.fork()
    if pid == 0:
        os.environ.clear()
        os.environ.update(scene.environment)
        os.chdir(scene.root)
        nowhere = os.open(os.devnull, os.O_RDWR)
        sys.stdin, sys.stdout = os.fdopen(nowhere), os.fdopen(os.dup(nowhere), "w")
        sys.stderr = sys.stdout
        run(commands, ("get", NAME))  # loads what is loaded late, codecs among it
        sys.stdout, sys.stderr = (os.fdopen(_new(file), "w") for file in said.values())
        become_nobody()
        status = run(commands, arguments)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    _, status = os.waitpid(pid, 0)
    told = Ended(
        os.waitstatus_to_exitcode(status), said["out"].read_bytes(), said["err"].read_text()
    )
    for file in said.values():
        file.unlink()
    return told


@pytest.mark.parametrize("folder", ["systems/hq", ".git/nixsecrets", ".git"])
def test_a_read_only_folder_is_told_and_nothing_is_changed(fleet: Scene, folder: str) -> None:
    fleet.done(*SET)
    if folder == ".git":
        shutil.rmtree(fleet.root / ".git/nixsecrets")
    give_to_nobody(fleet.folder)
    for above in (fleet.folder, *fleet.folder.parents):
        if not above.stat().st_mode & 0o001:  # pytest's own folders
            above.chmod(above.stat().st_mode | 0o055)
    (fleet.root / folder).chmod(0o555)
    (fleet.root / ".git/nixsecrets/lock").unlink(missing_ok=True)
    trusting = fleet.with_variables(**TRUSTING)
    before = trusting.tree()
    ended = as_nobody(trusting, *SET)
    reading = as_nobody(trusting, "get", NAME)
    assert (ended.status, trusting.tree()) == (3, before), ended
    assert str(fleet.root / folder) in ended.stderr
    assert "cannot be written: permission denied" in ended.stderr
    assert "hint: make it writable for you" in ended.stderr
    assert reading.status == 0, reading


def test_a_full_disk_is_told_and_nothing_is_changed(fleet: Scene) -> None:
    fleet.done("set", "big", "--host", "hq", "--yes", stdin=b"x" * BIG)
    fleet.commit()
    before = fleet.tree()
    ended = subprocess.run(
        [*TOOL, "rotate", "data-keys", "--yes"],
        env=fleet.environment,
        cwd=fleet.root,
        capture_output=True,
        check=False,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (BIG, BIG)),
    )
    assert (ended.returncode, fleet.tree()) == (3, before), ended
    assert "cannot be written: file too large" in ended.stderr
    assert "hint: make room on the disk" in ended.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is told to leave others' trees alone")
def test_root_does_not_write_somebody_elses_tree(fleet: Scene) -> None:
    give_to_nobody(fleet.root)
    trusting = fleet.with_variables(**TRUSTING)
    before = trusting.tree()
    ended = trusting.run(*SET)
    assert (ended.status, trusting.tree()) == (3, before), ended
    assert "is not written as root" in ended.stderr
    assert trusting.run("get", NAME).status == 0
