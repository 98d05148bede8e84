"""Fleets that are wrong, and names that are none: told by name and place, and nothing changed."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.scenes import MARKER, Scene
from tests.cli.test_verifying import machine, placed, verdict

AGE = "age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg"  # a test key
PUBLIC = "../machines/t15g/ssh_host_ed25519_key.pub"
T15G = ("add-host", "t15g", "--key", PUBLIC, "--yes")
POLICY = ".sops.yaml"
TREE = "../tree"

NAMES = {
    "nothing": "",
    "the folder above": "..",
    "a way up": "../../etc/passwd",
    "an absolute path": "/etc/passwd",
    "a newline": "a\nb",
    "a newline at its end": "hq\n",
    "an interpolation of Nix": "${builtins.currentTime}",
    "a quote": 'a"b',
    "two quotes": "a''b",
    "a letter beyond ASCII": "hä",
    "a leading dash": "-oProxyCommand=x",
    "a blank": "a b",
    "an escape of the terminal": "a\x1b[31m",
    "very long": "a" * 3000,
}
COMMANDS: dict[str, tuple[str, ...]] = {
    "add-host": ("add-host", "--key", PUBLIC, "--yes", "--", "NAME"),
    "add-host --like": (*T15G, "--like", "NAME"),
    "add-host --group": (*T15G, "--group", "NAME"),
    "add-host --address": (*T15G, "--address=NAME"),
    "add-host --identity-path": (*T15G, "--identity-path=x NAME"),
    "add-host --key": ("add-host", "t15g", "--yes", "--key", "NAME"),
    "add-host --age": ("add-host", "t15g", "--yes", "--age=NAME"),
    "remove-host": ("remove-host", "--yes", "--", "NAME"),
    "rename-host, the old name": ("rename-host", "--yes", "--", "NAME", "new"),
    "rename-host, the new name": ("rename-host", "--yes", "--", "t460", "NAME"),
    "rename-host --attribute": ("rename-host", "t460", "new", "--yes", "--attribute", "NAME\n"),
    "rename-host --host-name": ("rename-host", "t460", "new", "--yes", "--host-name", "NAME\n"),
    "group create": ("group", "create", "--yes", "--", "NAME", "hq"),
    "group create, a member": ("group", "create", "--yes", "--", "servers", "NAME"),
    "group join": ("group", "join", "--yes", "--", "NAME", "hq"),
    "group join, a member": ("group", "join", "--yes", "--", "laptops", "NAME"),
    "group leave, a member": ("group", "leave", "--yes", "--", "laptops", "NAME"),
    "group delete": ("group", "delete", "--yes", "--", "NAME"),
    "add-admin": ("add-admin", "--yes", "--", "NAME", AGE),
    "add-admin, a recipient": ("add-admin", "--yes", "--", "ann", "NAME"),
    "remove-admin": ("remove-admin", "--yes", "--", "NAME"),
    "rotate host": ("rotate", "host", "--key", PUBLIC, "--yes", "--", "NAME"),
    "rotate host --finish": ("rotate", "host", "--finish", "--yes", "--", "NAME"),
    "rotate admin": ("rotate", "admin", "--yes", "--", "NAME", AGE),
    "rotate admin --finish": ("rotate", "admin", "miscguy", "--yes", "--finish=NAME"),
    "add-user-key, the host": ("add-user-key", "--yes", "--", "NAME", "ann", AGE),
    "add-user-key, the user": ("add-user-key", "--yes", "--", "hq", "NAME", AGE),
    "bootstrap": ("bootstrap", "--yes", "--", "NAME", TREE),
    "bootstrap --group": ("bootstrap", "--yes", "--group", "NAME", "new", TREE),
    "hosts --verify": ("hosts", "--verify", "--", "NAME"),
    "wire": ("wire", "--yes", "--", "NAME"),
    "check": ("check", "--", "NAME"),
    "set": ("set", "--host", "hq", "--yes", "--", "NAME"),
    "set --host": ("set", "--host", "NAME", "--yes", "x"),
    "set --group": ("set", "--group", "NAME", "--yes", "x"),
    "set --home": ("set", "--host", "hq", "--home", "NAME", "--yes", "x"),
    "set --admins": ("set", "--admins", "--yes", "--", "NAME"),
    "set --every": ("set", "--every", "--generate", "--yes", "--", "NAME"),
    "mv": ("mv", "--yes", "--", "host/hq:restic/password", "NAME"),
}
QUICK = ("nothing", "a way up", "a newline", "an interpolation of Nix", "very long")
"""Told by every command; the others by one command for each sort of name."""
ONE_OF_A_SORT = (
    "add-host",
    "group create",
    "add-admin",
    "add-user-key, the user",
    "set",
    "add-host --address",
)
PAIRS = [
    (command, name)
    for command in COMMANDS
    for name in NAMES
    if name in QUICK or command in ONE_OF_A_SORT
]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_name_that_is_none_is_refused(fleet: Scene, command: str) -> None:
    before = fleet.tree()
    for name in [name for one, name in PAIRS if one == command]:
        arguments = [word.replace("NAME", NAMES[name]) for word in COMMANDS[command]]
        ended = fleet.run(*arguments, stdin=MARKER.encode())
        assert ended.status in (2, 3), (name, ended)
        assert fleet.tree() == before, name
        assert ended.stderr.startswith("nixsecrets: error: "), name
        assert "\x1b" not in ended.stderr, name
        assert MARKER not in ended.stderr, name
        assert ended.stderr.count("\n") <= 2, (name, ended.stderr)
        assert max(map(len, ended.stderr.splitlines())) < 1000, name
    assert not (fleet.folder / "tree").exists()


@dataclass(frozen=True)
class Defect:
    """A policy that is wrong, and how that is told.

    Args:
        name: what is wrong.
        text: the policy; `{people}` and `{hq}` are recipients that there are.
        told: what `check` says, with the line.
        status: of a command that needs the policy.
    """

    name: str
    text: str
    told: tuple[str, ...]
    status: int = 3


AGE_LIST = "    key_groups:\n    - age:\n      - *miscguy\n      - *hq\n"
HEAD = "keys:\n  - &miscguy {miscguy}\n  - &hq {hq}\n  - &t460 {t460}\n"
UNREADABLE = (
    Defect("no YAML", "keys: [\n", (".sops.yaml:",)),
    Defect("a tab", "keys:\n\t- a\n", (".sops.yaml:2",)),
    Defect("an alias without an anchor", "creation_rules:\n- age: *nobody\n", (".sops.yaml:2:",)),
    Defect("a list for a rule", "creation_rules:\n- [a]\n", (".sops.yaml:2:", "mapping")),
    Defect("rules that are no list", "creation_rules: a\n", (".sops.yaml:1:", "list")),
    Defect(
        "a broken regular expression",
        "creation_rules:\n- path_regex: '(a'\n  age: ''\n",
        (".sops.yaml:2:",),
    ),
    Defect(
        "a lookahead",
        "creation_rules:\n- path_regex: 'a(?=b)'\n  age: ''\n",
        (".sops.yaml:2:",),
    ),
    Defect(
        "a back-reference",
        "creation_rules:\n- path_regex: '(a)\\1'\n  age: ''\n",
        (".sops.yaml:2:",),
    ),
    Defect(
        "a key group with a scalar",
        "creation_rules:\n- key_groups:\n  - age: a\n",
        (".sops.yaml:3:", "list"),
    ),
    Defect("a field twice", "creation_rules:\n- age: a\n  age: b\n", (".sops.yaml:3:", "twice")),
    Defect("no UTF-8", "keys: \udcff\n", (".sops.yaml:1", "UTF-8")),
)


@pytest.mark.parametrize("defect", UNREADABLE, ids=lambda one: one.name)
@pytest.mark.parametrize(
    "command",
    [("check",), T15G, ("remove-host", "hq", "--yes"), ("rekey", "--yes")],
    ids=lambda words: words[0],
)
def test_a_policy_that_cannot_be_read_is_named_with_its_line(
    fleet: Scene, defect: Defect, command: tuple[str, ...]
) -> None:
    (fleet.root / POLICY).write_bytes(os.fsencode(defect.text))
    before = fleet.tree()
    ended = fleet.run(*command)
    assert (ended.status, fleet.tree()) == (defect.status, before), ended
    for words in defect.told:
        assert words in ended.stderr


def test_a_policy_that_cannot_be_read_leaves_status_able_to_say_so(fleet: Scene) -> None:
    fleet.write(POLICY, "keys: [\n")
    ended = fleet.run("status")
    assert ended.status in (0, 3)
    assert POLICY in ended.text + ended.stderr


def rule(path: str, groups: str = AGE_LIST) -> str:
    return f"  - path_regex: {path}\n{groups}"


OWN = rule("^systems/hq/secrets\\.yaml$")
DOUBTFUL = (
    Defect(
        "two key groups without a threshold",
        HEAD
        + "creation_rules:\n"
        + rule(
            "^systems/hq/secrets\\.yaml$",
            "    key_groups:\n    - age:\n      - *miscguy\n    - age:\n      - *hq\n",
        ),
        ("key group",),
    ),
    Defect(
        "a misspelt service",
        HEAD
        + "creation_rules:\n"
        + rule("^systems/hq/secrets\\.yaml$", AGE_LIST + "      gpg:\n      - abc\n"),
        ("sops knows no `gpg` in a key group",),
    ),
    Defect(
        "a misspelt cloud service",
        HEAD + "creation_rules:\n" + OWN + "    gcp-kms: abc\n",
        ("sops knows no `gcp-kms` in a rule",),
    ),
    Defect(
        "a rule that never fires",
        HEAD + "creation_rules:\n" + rule("secrets\\.yaml$") + OWN,
        ("governs nothing: the one of line",),
    ),
    Defect(
        "the rule for everything first",
        HEAD + "creation_rules:\n" + rule(".*") + OWN,
        ("governs nothing: the one of line",),
    ),
    Defect(
        "a glob for a regular expression",
        HEAD + "creation_rules:\n" + OWN + rule("secrets/*.yaml"),
        ("glob",),
    ),
    Defect(
        "an anchor that nothing uses",
        HEAD + "  - &nobody " + AGE + "\ncreation_rules:\n" + OWN,
        ("nobody",),
    ),
)


@pytest.mark.parametrize("defect", DOUBTFUL, ids=lambda one: one.name)
def test_a_policy_that_is_doubtful_is_found(fleet: Scene, defect: Defect) -> None:
    fleet.write(POLICY, filled(fleet, defect.text))
    before = fleet.tree()
    ended = fleet.run("check")
    assert ended.status in (0, 1), ended
    assert fleet.tree() == before
    for words in defect.told:
        assert words in ended.text


def filled(scene: Scene, text: str) -> str:
    """Put the recipients of the scene's policy in."""
    lines = (line.split() for line in scene.read(POLICY).splitlines())
    known = {words[1][1:]: words[2] for words in lines if words[1:] and words[1].startswith("&")}
    return text.format(**known)


SHAPES: dict[str, Callable[[str], str]] = {
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "no final newline": lambda text: text.rstrip("\n"),
    "several final newlines": lambda text: text + "\n\n\n",
    "a byte order mark": lambda text: "\ufeff" + text,
    "a document start": lambda text: "---\n" + text,
}


@pytest.mark.parametrize("shape", SHAPES)
def test_an_odd_policy_is_edited_without_the_loss_of_a_line(fleet: Scene, shape: str) -> None:
    text = SHAPES[shape](fleet.read(POLICY))
    (fleet.root / POLICY).write_bytes(text.encode())
    ended = fleet.run(*T15G)
    after = (fleet.root / POLICY).read_bytes().decode()
    if ended.status == 3:
        assert (after, ended.stderr.count(POLICY) > 0) == (text, True)
        return
    assert ended.status == 0, ended
    kept = iter(after.splitlines())
    assert all(line in kept for line in text.splitlines())
    assert ("\r\n" in after) == ("\r\n" in text)
    assert fleet.run("check").status == 0


def test_a_policy_of_the_other_spelling_is_pointed_out(adopted: Scene) -> None:
    (adopted.root / POLICY).rename(adopted.root / ".sops.yml")
    before = adopted.tree()
    ended = adopted.run("init", "--yes", "--dry-run", "--recipient", AGE)
    assert ended.status in (0, 3), ended
    assert ".sops.yml" in ended.text + ended.stderr
    assert adopted.tree() == before


OUT = "leads out of the repository"


@pytest.mark.parametrize(
    "command",
    [
        ("get", "host/hq:restic/password"),
        ("set", "host/hq:restic/password", "--yes"),
        ("set", "host/hq:of/someone", "--yes"),
        ("remove-host", "hq", "--yes"),
        ("rename-host", "hq", "new", "--yes"),
        ("rotate", "data-keys", "--yes"),
        ("rotate", "host", "hq", "--key", PUBLIC, "--yes"),
        ("wire", "hq", "--yes"),
    ],
    ids=" ".join,
)
def test_a_host_whose_directory_leads_out_is_neither_read_nor_written(
    fleet: Scene, command: tuple[str, ...]
) -> None:
    outside = fleet.folder / "outside"
    (fleet.root / "systems/hq").rename(outside)
    (fleet.root / "systems/hq").symlink_to(outside)
    before = fleet.tree()
    ended = fleet.run(*command, stdin=b"other")
    assert (ended.status, fleet.tree()) == (3, before), ended
    assert f"{OUT}, to {outside}" in ended.stderr
    assert "of hq" not in ended.text


def test_a_link_within_the_repository_is_followed_and_kept(fleet: Scene) -> None:
    (fleet.root / "systems/hq").rename(fleet.root / "elsewhere")
    (fleet.root / "systems/hq").symlink_to("../elsewhere")
    assert fleet.done("get", "host/hq:restic/password") == "of hq"
    fleet.done("set", "host/hq:restic/password", "--yes", stdin=b"other")
    assert fleet.done("get", "host/hq:restic/password") == "other"
    assert (fleet.root / "systems/hq").is_symlink()


def test_a_link_out_that_nobody_speaks_of_stops_nothing(fleet: Scene) -> None:
    (fleet.root / "result").symlink_to("/nix/store/nothing")
    (fleet.root / "tool").symlink_to("/usr/bin/env")
    (fleet.root / "systems/hq/hardware.nix").symlink_to("/etc/passwd")
    fleet.git("add", ".")
    for command in (("check",), ("status",), ("wire", "--yes"), T15G):
        ended = fleet.run(*command)
        assert ended.status == 0, (command, ended)
        assert "root:" not in ended.text


def test_a_pipe_in_place_of_a_document_is_not_waited_for(fleet: Scene) -> None:
    (fleet.root / "systems/hq/secrets.yaml").unlink()
    os.mkfifo(fleet.root / "systems/hq/secrets.yaml")
    ended = fleet.run("get", "host/hq:restic/password")
    assert ended.status == 3
    assert "systems/hq/secrets.yaml: cannot be read: it is no regular file" in ended.stderr


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (("remove-host", "t460"), POLICY),
        (("rename-host", "t460", "new"), "nixsecrets.yaml"),
        (("rotate", "host", "t460", "--key", PUBLIC), "shared/secrets.yaml"),
        (("group", "join", "laptops", "hq"), "nixsecrets.yaml"),
        (("add-admin", "ann", AGE), "systems/hq/secrets.yaml"),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, tuple) else words,
)
def test_a_file_that_an_editor_saves_while_the_question_stands_is_kept(
    fleet: Scene, command: tuple[str, ...], path: str
) -> None:
    saved = fleet.read(path) + "# of an editor\n"
    before = fleet.tree()
    status, screen = fleet.talk(
        command, ("apply? [y/N] ", "y\n"), meanwhile=lambda: fleet.write(path, saved)
    )
    place = f"fleet/{path}"
    expected = before | {place: (before[place][0], saved.encode())}
    assert (status, fleet.tree()) == (7, expected), screen
    assert f"{path} was changed by someone else meanwhile" in screen
    assert "run the same command again" in screen


def test_a_question_that_is_interrupted_changes_nothing(fleet: Scene) -> None:
    before = fleet.tree()
    status, screen = fleet.talk(("remove-host", "t460"), ("apply? [y/N] ", "\x03"))
    assert (status, fleet.tree()) == (130, before), screen


def test_a_second_run_while_the_question_stands_is_refused(fleet: Scene) -> None:
    statuses: list[int] = []
    fleet.talk(
        ("remove-host", "t460"),
        ("apply? [y/N] ", "n\n"),
        meanwhile=lambda: statuses.append(fleet.run(*T15G).status),
    )
    assert statuses == [7]


def test_a_scanned_key_that_is_another_now_is_not_taken(fleet: Scene, tmp_path: Path) -> None:
    with machine(fleet, "t15g", tmp_path / "first") as address:
        fingerprint = scanned_fingerprint(fleet, "t15g")
        arguments = ("add-host", "t15g", "--fingerprint", fingerprint, "--yes", "--scan")
        fleet.done(*arguments, address)
    with machine(fleet, "mac", tmp_path / "second") as swapped:
        before = fleet.tree()
        ended = fleet.run(*arguments, swapped)
        assert (ended.status, fleet.tree()) == (1, before), ended
        assert fingerprint in ended.stderr
        other = ("--fingerprint", scanned_fingerprint(fleet, "mac"), "--yes", "--scan", swapped)
        ended = fleet.run("add-host", "t15g", *other)
        assert (ended.status, fleet.tree()) == (3, before), ended
        assert "has another key already" in ended.stderr
        assert "nixsecrets rotate host t15g" in ended.stderr


def test_a_key_swapped_during_a_rotation_does_not_finish_it(fleet: Scene, tmp_path: Path) -> None:
    fleet.done("rotate", "host", "t460", "--key", fleet.public("t15g"), "--yes")
    with machine(fleet, "mac", tmp_path / "sshd") as address:
        placed(fleet, address)
        ended = fleet.run("hosts", "--verify", "t460")
    assert (ended.status, verdict(ended.text)) == (1, "has another key")
    before = fleet.tree()
    ended = fleet.run("rotate", "host", "t460", "--finish", "--yes")
    assert (ended.status, fleet.tree()) == (1, before), ended
    assert "hosts --verify t460" in ended.stderr


def test_a_known_hosts_that_disagrees_refuses_a_scan(fleet: Scene, tmp_path: Path) -> None:
    other = Path(fleet.public("mac")).read_text()
    with machine(fleet, "t15g", tmp_path / "sshd") as address:
        port = address.partition(":")[2]
        (fleet.home / "known").write_text(f"[127.0.0.1]:{port} {other}")
        known = fleet.with_variables(NIX_SSHOPTS=f"-o UserKnownHostsFile={fleet.home}/known")
        before = known.tree()
        ended = known.run("add-host", "t15g", "--scan", address, "--yes")
    assert (ended.status, known.tree()) == (1, before), ended
    assert "known_hosts" in ended.stderr


def scanned_fingerprint(scene: Scene, name: str) -> str:
    told = scene.start("ssh-keygen", "-l", "-f", scene.public(name)).text
    return told.split()[1]
