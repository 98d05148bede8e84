import os
from pathlib import Path, PurePosixPath

import pytest

from nixsecrets.age.identity import generate_identity
from nixsecrets.age.ssh import convert_public_key, generate_ed25519
from nixsecrets.change import PUBLIC_MODE, digest
from nixsecrets.errors import ExitStatus, NixsecretsError, RepositoryError
from nixsecrets.fleet.load import Repository, open_repository, parse_host_key

MANIFEST = PurePosixPath("nixsecrets.yaml")
POLICY = PurePosixPath(".sops.yaml")
KEY = PurePosixPath("keys/hosts/hq.pub")
NOTE = PurePosixPath("note.txt")
TEXT = "version: 1\npeople:\n  ann: {}\nhosts:\n  hq: {}\n"
_, PUBLIC = generate_ed25519("root@hq")
_, ANN = generate_identity()


def write(root: Path, files: dict[str, str | bytes]) -> None:
    for path, content in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())


def no_paths() -> frozenset[PurePosixPath]:
    raise AssertionError("nobody has to ask for all paths")


def read(root: Path, **files: str | bytes) -> Repository:
    """Read a fleet of hq and ann, with other files in place of its own.

    Args:
        root: where it is written.
        files: contents of `manifest`, `policy`, `host_key` and `person_key`.
    """
    names = {
        "manifest": "nixsecrets.yaml",
        "policy": ".sops.yaml",
        "host_key": "keys/hosts/hq.pub",
        "person_key": "keys/admins/ann.pub",
    }
    usual: dict[str, str | bytes] = {
        "manifest": TEXT,
        "policy": f"creation_rules:\n  - age: {ANN.text}\n",
        "host_key": f"{PUBLIC.line}\n",
        "person_key": f"{ANN.text}\n",
    }
    write(root, {names[name]: content for name, content in {**usual, **files}.items()})
    return open_repository(root, no_paths)


def test_a_repository_is_manifest_policy_and_key_files(tmp_path: Path) -> None:
    write(tmp_path, {"systems/hq/secrets.yaml": "not read"})
    known = read(tmp_path)
    assert known.fleet.managed
    assert known.fleet.host("hq").recipient == convert_public_key(PUBLIC)
    assert known.fleet.host("hq").public_key == PUBLIC.line
    assert known.fleet.person("ann").recipients == (ANN,)
    assert known.fleet.policy is not None
    assert sorted(map(str, known.sources.paths_read)) == [
        ".sops.yaml",
        "keys/admins/ann.pub",
        "keys/hosts/hq.pub",
        "nixsecrets.yaml",
    ]


def test_an_empty_folder_is_a_fleet_that_nobody_has_declared(tmp_path: Path) -> None:
    known = open_repository(tmp_path, no_paths)
    assert not known.fleet.managed
    assert known.fleet.policy is None
    assert known.fleet.hosts == ()


def test_without_key_files_nobody_has_a_recipient(tmp_path: Path) -> None:
    write(tmp_path, {"nixsecrets.yaml": TEXT})
    fleet = open_repository(tmp_path, no_paths).fleet
    assert fleet.host("hq").recipient is None
    assert fleet.person("ann").recipients == ()


def test_users_are_those_whom_a_declaration_or_a_key_file_names(tmp_path: Path) -> None:
    text = f"{TEXT}secrets: {{ home: {{ bob: {{ a: {{ hosts: [hq] }} }} }} }}\n"
    write(
        tmp_path, {"keys/users/hq/me.pub": f"{ANN.text}\n", "keys/users/t460/me.pub": "no host's"}
    )
    fleet = read(tmp_path, manifest=text).fleet
    assert [(user.host, user.name, user.recipients) for user in fleet.users] == [
        ("hq", "bob", ()),
        ("hq", "me", (ANN,)),
    ]


def test_a_fleet_knows_which_of_its_rarer_documents_there_are(tmp_path: Path) -> None:
    for_admins, of_hq = (
        PurePosixPath("keys/admins.yaml"),
        PurePosixPath("keys/hosts/hq.private.yaml"),
    )
    write(tmp_path, {str(for_admins): "a: b\n", "keys/users/hq/me.pub": f"{ANN.text}\n"})
    known = read(tmp_path)
    assert known.fleet.present == {for_admins}
    planned = known.changed(of_hq, b"a: b\n").changed(for_admins, None)
    planned = planned.changed(PurePosixPath("systems/hq/home/me.yaml"), b"a: b\n")
    assert sorted(map(str, planned.fleet.present)) == [str(of_hq), "systems/hq/home/me.yaml"]


@pytest.mark.parametrize(
    ("files", "place"),
    [
        pytest.param(
            {"manifest": "version: 1\nhosts:\n  hq: { colour: red }\n"},
            "nixsecrets.yaml:3:9",
            id="manifest",
        ),
        pytest.param(
            {"policy": "creation_rules:\n  - path_regex: '('\n"}, ".sops.yaml:2:17", id="policy"
        ),
        pytest.param(
            {"host_key": "# hq\n\nssh-ed25519 AAAA\n"}, "keys/hosts/hq.pub:3", id="host key"
        ),
        pytest.param(
            {"host_key": f"{PUBLIC.line}\n{PUBLIC.line}\n"},
            "keys/hosts/hq.pub:2",
            id="two host keys",
        ),
        pytest.param({"host_key": "# none\n"}, "keys/hosts/hq.pub", id="no host key"),
        pytest.param({"host_key": b"# \xff\n"}, "keys/hosts/hq.pub:1", id="no text"),
        pytest.param({"host_key": "age1broken\n"}, "keys/hosts/hq.pub:1", id="broken recipient"),
        pytest.param(
            {"person_key": f"{ANN.text}\nnobody\n"}, "keys/admins/ann.pub:2", id="person key"
        ),
        pytest.param({"person_key": b"a\n\xff\n"}, "keys/admins/ann.pub:2", id="person no text"),
        pytest.param({"person_key": ""}, "keys/admins/ann.pub", id="empty person key"),
    ],
)
def test_a_broken_file_is_named_with_its_line(
    tmp_path: Path, files: dict[str, str | bytes], place: str
) -> None:
    with pytest.raises(RepositoryError) as caught:
        read(tmp_path, **files)
    assert str(caught.value).startswith(f"{place}: ")
    assert caught.value.status is ExitStatus.REPOSITORY


@pytest.mark.parametrize("file", ["host_key", "person_key"])
@pytest.mark.parametrize("private", ["age", "ssh"])
def test_a_private_half_among_the_keys_is_named_and_not_quoted(
    tmp_path: Path, file: str, private: str
) -> None:
    age, _ = generate_identity()
    ssh, _ = generate_ed25519("x")
    content = (age if private == "age" else ssh).reveal()
    with pytest.raises(RepositoryError, match="private") as caught:
        read(tmp_path, **{file: content.split(b"\n", 1)[1] if private == "age" else content})
    secret = content.decode().split("\n")[1]
    assert secret not in f"{caught.value} {caught.value.hint}"


def test_a_host_key_file_may_have_comments_and_foreign_line_ends(tmp_path: Path) -> None:
    text = f"\ufeff# hq, seen on 2026-01-01\r\n\r\n  {PUBLIC.line}\r\n"
    assert read(tmp_path, host_key=text).fleet.host("hq").public_key == PUBLIC.line


def test_a_host_key_may_be_an_age_recipient() -> None:
    key = parse_host_key(f" {ANN.text}\n")
    assert (key.recipient, key.public_key) == (ANN, ANN.text)


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).mkdir()
    with pytest.raises(RepositoryError, match="cannot be read: Is a directory") as caught:
        open_repository(tmp_path, no_paths)
    assert caught.value.place == "nixsecrets.yaml"


def test_a_file_is_read_once(tmp_path: Path) -> None:
    known = read(tmp_path)
    write(tmp_path, {"note.txt": "first"})
    known.sources.read(NOTE)
    write(tmp_path, {"note.txt": "second"})
    assert known.sources.read(NOTE).content == b"first"


def test_a_file_below_a_file_is_not_there(tmp_path: Path) -> None:
    known = read(tmp_path)
    assert known.sources.find(MANIFEST / "x") is None
    with pytest.raises(RepositoryError, match="no such file"):
        known.sources.read(MANIFEST / "x")


def test_a_change_is_decided_on_what_is_on_disk(tmp_path: Path) -> None:
    write(tmp_path, {"note.txt": "old"})
    (tmp_path / NOTE).chmod(0o640)
    known = read(tmp_path).changed(NOTE, b"one", "first").changed(NOTE, b"two", "second")
    (change,) = known.changes.values()
    assert (change.before, change.after, change.mode) == (digest(b"old"), b"two", 0o640)
    assert change.why == ("first", "second")
    assert known.sources.read(NOTE).content == b"two"


def test_a_new_file_has_no_before(tmp_path: Path) -> None:
    known = read(tmp_path).changed(NOTE, b"one").changed(NOTE, b"two")
    (change,) = known.changes.values()
    assert (change.before, change.after, change.mode) == (None, b"two", PUBLIC_MODE)


def test_a_removed_file_is_gone_for_what_follows(tmp_path: Path) -> None:
    write(tmp_path, {"note.txt": "old"})
    known = read(tmp_path).changed(NOTE, None)
    assert known.sources.find(NOTE) is None
    assert known.changes[NOTE].after is None


@pytest.mark.parametrize("old", [b"old", None])
def test_what_is_again_as_on_disk_is_no_change(tmp_path: Path, old: bytes | None) -> None:
    if old is not None:
        write(tmp_path, {"note.txt": old})
    known = read(tmp_path).changed(NOTE, b"new", "there").changed(NOTE, old, "and back")
    assert known.changes == {}
    assert known.changed(NOTE, b"new", "again").changes[NOTE].why == ("again",)


def test_the_same_content_is_no_change(tmp_path: Path) -> None:
    known = read(tmp_path)
    assert known.changed(MANIFEST, TEXT.encode(), "nothing") is known


def test_changes_stand_in_the_order_in_which_they_were_decided(tmp_path: Path) -> None:
    known = read(tmp_path)
    for name in ("b", "a", "c", "b"):
        known = known.changed(PurePosixPath(name), name.encode() + os.urandom(1))
    assert list(map(str, known.changes)) == ["b", "a", "c"]


def test_the_fleet_follows_what_is_changed_of_it(tmp_path: Path) -> None:
    _, other = generate_ed25519("root@t460")
    text = TEXT + "  t460: {}\n"
    known = read(tmp_path).changed(MANIFEST, text.encode())
    assert known.fleet.host("t460").recipient is None
    known = known.changed(PurePosixPath("keys/hosts/t460.pub"), f"{other.line}\n".encode())
    assert known.fleet.host("t460").recipient == convert_public_key(other)
    known = known.changed(POLICY, None)
    assert known.fleet.policy is None
    known = known.changed(PurePosixPath("keys/admins/ann.pub"), None)
    assert known.fleet.person("ann").recipients == ()


def test_other_files_leave_the_fleet_as_it_was_read(tmp_path: Path) -> None:
    known = read(tmp_path)
    assert known.changed(NOTE, b"x").fleet is known.fleet


def test_a_change_that_breaks_the_fleet_is_refused_at_once(tmp_path: Path) -> None:
    known = read(tmp_path)
    with pytest.raises(NixsecretsError) as caught:
        known.changed(KEY, b"nonsense\n")
    assert caught.value.place == str(KEY)


def test_a_policy_is_asked_about_paths_of_the_repository(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "nixsecrets.yaml": "version: 1\nlayout: { policy: secrets/.sops.yaml }\n",
            "secrets/.sops.yaml": "creation_rules:\n  - path_regex: ^a/\n    age: x\n",
        },
    )
    policy = open_repository(tmp_path, no_paths).fleet.policy
    assert policy is not None
    assert policy.rule_for(PurePosixPath("secrets/a/x.yaml")) is not None
    assert policy.rule_for(PurePosixPath("a/x.yaml")) is None
    assert policy.rule_for(PurePosixPath("secrets/secrets/a/x.yaml")) is None
