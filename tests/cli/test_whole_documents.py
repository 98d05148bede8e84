"""encrypt, decrypt, convert and filestatus, with the real sops on the other side."""

import json
import re
import stat
from pathlib import Path

import pytest

from tests.cli.scenes import MARKER, Scene
from tests.tools import require_sops

DOCUMENT = "systems/hq/secrets.yaml"
TEXTS = {
    "a.yaml": f"# note\na:\n    b: {MARKER}\n    l:\n        - 1\n        - x\nm: 1.5\n",
    "a.json": f'{{\n\t"a": {{\n\t\t"b": "{MARKER}"\n\t}}\n}}\n',
    "a.env": f"# note\nA={MARKER}\nB=1\n",
    "a.ini": f"[s]\n; note\na = {MARKER}\n",
    "a.txt": f"{MARKER}\n\tanything: at all\n",
}
FORMATS = {"yaml": "yaml", "json": "json", "env": "dotenv", "ini": "ini", "txt": "binary"}


def plain(fleet: Scene) -> Path:
    """Return a folder that is neither a fleet nor a repository."""
    folder = fleet.folder / "plain"
    folder.mkdir()
    return folder


def recipient(fleet: Scene) -> str:
    found = re.search(r"public key: (age1\w+)", fleet.identity_file.read_text())
    assert found
    return found[1]


def sops(scene: Scene, *arguments: str, folder: str, stdin: bytes = b"") -> bytes:
    key = str(scene.identity_file)
    opening = scene.with_variables(SOPS_AGE_KEY_FILE=key)
    ended = opening.start(require_sops(), *arguments, folder=folder, stdin=stdin)
    assert ended.status == 0, ended
    return ended.stdout


def shape(text: str, suffix: str) -> object:
    """Return what a text means: formats differ in blanks and quotes."""
    if suffix == "json":
        return json.loads(text)
    return [re.sub(r"\s+", "", line) for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize("name", TEXTS)
def test_sops_opens_what_is_encrypted_and_the_other_way_round(fleet: Scene, name: str) -> None:
    folder, who, suffix = plain(fleet), recipient(fleet), name.partition(".")[2]
    (folder / name).write_text(TEXTS[name])
    ours = fleet.run("encrypt", name, "--age", who, folder="plain")
    assert (ours.status, ours.stderr) == (0, "")
    assert MARKER not in ours.text
    (folder / f"ours.{suffix}").write_bytes(ours.stdout)
    opened = sops(fleet, "decrypt", f"ours.{suffix}", folder="plain").decode()
    assert shape(opened, suffix) == shape(TEXTS[name], suffix)

    (folder / f"theirs.{suffix}").write_bytes(
        sops(fleet, "encrypt", "--age", who, name, folder="plain")
    )
    opened = fleet.run("decrypt", f"theirs.{suffix}", folder="plain").text
    assert shape(opened, suffix) == shape(TEXTS[name], suffix)
    again = fleet.run("decrypt", f"ours.{suffix}", folder="plain")
    assert again.text == TEXTS[name]
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        (name, f"ours.{suffix}", f"theirs.{suffix}")
    )


def test_stdin_is_encrypted_and_decrypted_by_its_type(fleet: Scene) -> None:
    plain(fleet)
    text = TEXTS["a.env"].encode()
    options = ("--age", recipient(fleet), "--type", "dotenv")
    sealed = fleet.run("encrypt", "-", *options, folder="plain", stdin=text).stdout
    assert b"A=ENC[" in sealed
    assert fleet.run("decrypt", "-", folder="plain", stdin=sealed).stdout == text
    named = fleet.run("encrypt", "-", "--filename", DOCUMENT, stdin=b"x: y\n")
    assert b"x: ENC[" in named.stdout
    assert sorted(re.findall(rb"recipient: (\S+)", named.stdout)) == sorted(
        re.findall(rb"recipient: (\S+)", fleet.read(DOCUMENT).encode())
    )


def test_in_place_the_policy_says_who_reads(fleet: Scene) -> None:
    file = fleet.root / "systems/t460/secrets.yaml"
    text = "restic:\n    password: typed\nother: more\n"
    file.write_text(text)
    file.chmod(0o600)
    shown = fleet.run("encrypt", str(file), "--in-place", "--dry-run", "--json")
    (change,) = [one for one in json.loads(shown.text)["changes"] if one["path"].endswith(".yaml")]
    assert (change["before"], change["after"]) == (None, None)
    assert file.read_text() == text
    ended = fleet.run("encrypt", "systems/t460/secrets.yaml", "-i", "--yes")
    assert ended.status == 0, ended
    assert "encrypted for miscguy, t460" in ended.text
    assert fleet.done("get", "host/t460:other") == "more"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not [one for one in file.parent.iterdir() if one.name.startswith(".")]
    state = fleet.root / ".git/nixsecrets"
    assert b"typed" not in b"".join(one.read_bytes() for one in state.rglob("*") if one.is_file())


def test_decrypting_in_place_leaves_a_private_file_and_nothing_else(fleet: Scene) -> None:
    ended = fleet.run("decrypt", DOCUMENT, "-i")
    assert (ended.status, "give --yes" in ended.stderr) == (2, True)
    assert "git would commit the values" in ended.text
    before = fleet.read(DOCUMENT)
    shown = fleet.done("decrypt", DOCUMENT, "-i", "--json", "--dry-run")
    assert json.loads(shown)["changes"][0]["after"] is None
    assert fleet.read(DOCUMENT) == before
    fleet.done("decrypt", DOCUMENT, "-i", "--yes")
    assert MARKER in fleet.read(DOCUMENT)
    assert stat.S_IMODE((fleet.root / DOCUMENT).stat().st_mode) == 0o600
    assert fleet.git("status", "--short") == f" M {DOCUMENT}\n"
    fleet.done("encrypt", DOCUMENT, "-i", "--yes")
    assert fleet.done("get", "host/hq:nextcloud/admin-password") == MARKER


def test_in_place_works_in_a_plain_folder_and_leaves_nothing_there(fleet: Scene) -> None:
    folder = plain(fleet)
    (folder / "a.yaml").write_text(TEXTS["a.yaml"])
    sealed = fleet.run(
        "encrypt", "a.yaml", "-i", "--yes", "--age", recipient(fleet), folder="plain"
    )
    assert sealed.status == 0, sealed
    assert MARKER not in (folder / "a.yaml").read_text()
    made = ("encrypt", "a.yaml", "--output", "b.yaml")
    assert fleet.run(*made, folder="plain").status == 3
    assert fleet.run("decrypt", "a.yaml", "-o", "c.yaml", folder="plain").status == 0
    assert fleet.run("decrypt", "a.yaml", "-i", "-y", folder="plain").status == 0
    assert (folder / "a.yaml").read_text() == TEXTS["a.yaml"] == (folder / "c.yaml").read_text()
    assert sorted(path.name for path in folder.iterdir()) == ["a.yaml", "c.yaml"]


@pytest.mark.parametrize(
    ("arguments", "text", "status", "words"),
    [
        (("encrypt", "x.yaml"), "a: 1\n", 3, "no rule of a policy says who is to read it"),
        (("encrypt", "x.yaml", "--age", "age1x"), "a: 1\n", 3, "RECIPIENT"),
        (("encrypt", "x.yaml", "--age", "$R"), "a: [\n", 3, "x.yaml:2:1"),
        (("encrypt", "x.yaml", "--age", "$R"), "sops: 1\n", 3, "reserved for the metadata"),
        (("encrypt", "x.yaml", "--age", "$R", "--encrypted-regex", "("), "a: 1\n", 3, "not valid"),
        (
            ("encrypt", "x.yaml", "--encrypted-regex", "a", "--encrypted-suffix", "b"),
            "a: 1\n",
            2,
            "exclude each other",
        ),
        (("encrypt", "x.yaml", "-i", "-o", "y.yaml"), "a: 1\n", 2, "exclude each other"),
        (
            ("encrypt", "x.yaml", "-i", "--age", "$R", "--output-type", "json"),
            "a: 1\n",
            2,
            "--in-place keeps the name",
        ),
        (("encrypt", "-", "-i", "--age", "$R"), "", 2, "stdin has no place"),
        (("encrypt", "y.yaml", "--age", "$R"), "a: 1\n", 2, "y.yaml cannot be read"),
        (("encrypt", "x.yaml", "--type", "toml"), "a: 1\n", 2, "toml"),
        (
            ("encrypt", "x.yaml", "--age", "$R", "--output-type", "dotenv"),
            "a: {b: 1}\n",
            3,
            '["a"]["b"] has no place in dotenv',
        ),
        (("decrypt", "x.yaml"), "a: 1\n", 3, "is not encrypted"),
        (("decrypt", "y.yaml"), "a: 1\n", 2, "no such document"),
        (("decrypt", "x.yaml", "-i", "--extract", '["a"]'), "a: 1\n", 2, "exclude each other"),
        (("convert", "x.yaml"), "a: 1\n", 3, "is not encrypted"),
        (("filestatus", "x.yaml"), "a: [\n", 3, "x.yaml:2:1"),
        (("filestatus", "y.yaml"), "", 2, "y.yaml cannot be read"),
    ],
)
def test_bad_input_changes_nothing(
    fleet: Scene, arguments: tuple[str, ...], text: str, status: int, words: str
) -> None:
    folder = plain(fleet)
    (folder / "x.yaml").write_text(text)
    who = recipient(fleet)
    ended = fleet.run(*(one.replace("$R", who) for one in arguments), folder="plain")
    assert ended.status == status, ended
    assert words in ended.stderr
    assert ended.stdout == b""
    assert [path.name for path in folder.iterdir()] == ["x.yaml"]
    assert (folder / "x.yaml").read_text() == text


def test_what_is_encrypted_is_not_encrypted_again(fleet: Scene) -> None:
    ended = fleet.run("encrypt", DOCUMENT)
    assert (ended.status, ended.text) == (3, "")
    assert f"{DOCUMENT}: is encrypted already" in ended.stderr


def test_options_choose_what_is_encrypted_and_nothing_at_all_is_warned_of(fleet: Scene) -> None:
    (plain(fleet) / "a.yaml").write_text("user: ann\npassword: x\n")
    options = ("encrypt", "a.yaml", "--age", recipient(fleet))
    chosen = fleet.run(*options, "--encrypted-regex", "^pass", folder="plain")
    assert (chosen.status, chosen.stderr) == (0, "")
    assert "user: ann\npassword: ENC[" in chosen.text
    bare = fleet.run(*options, "--encrypted-suffix", "_secret", folder="plain")
    assert "nixsecrets: warning: nothing in a.yaml is encrypted" in bare.stderr
    only = fleet.run(
        *options, "--unencrypted-suffix", "user", "--mac-only-encrypted", folder="plain"
    )
    assert "mac_only_encrypted: true" in only.text
    (fleet.folder / "plain/b.yaml").write_text(only.text.replace("ann", "bob"))
    assert "bob" in sops(fleet, "decrypt", "b.yaml", folder="plain").decode()


@pytest.mark.parametrize("target", ["json", "yaml"])
@pytest.mark.parametrize("path", ['["a"]["b"]', '["a"]', '["a"]["l"]', '["a"]["l"][0]', '["m"]'])
def test_extracts_are_those_of_sops(fleet: Scene, path: str, target: str) -> None:
    folder = plain(fleet)
    (folder / "a.yaml").write_text(TEXTS["a.yaml"])
    (folder / "s.yaml").write_bytes(
        sops(fleet, "encrypt", "--age", recipient(fleet), "a.yaml", folder="plain")
    )
    options = ("--extract", path, "--output-type", target)
    theirs = sops(fleet, "decrypt", *options, "s.yaml", folder="plain")
    ours = fleet.run("decrypt", "s.yaml", *options, folder="plain").stdout
    assert ours.strip() == theirs.strip()


def test_a_converted_document_has_the_same_readers_and_a_new_data_key(fleet: Scene) -> None:
    fleet.done("set", "host/hq:port", "--json-value", "--yes", stdin=b"8080")
    ended = fleet.run("convert", DOCUMENT, "--output-type", "json", "--yes")
    assert ended.status == 0, ended
    made = fleet.read("systems/hq/secrets.json")
    assert sorted(re.findall(r'"recipient": "(\S+)"', made)) == sorted(
        re.findall(r"recipient: (\S+)", fleet.read(DOCUMENT))
    )
    assert MARKER not in made
    theirs = json.loads(sops(fleet, "decrypt", "systems/hq/secrets.json", folder="fleet"))
    assert theirs == {
        "nextcloud": {"admin-password": MARKER},
        "restic": {"password": "of hq"},
        "port": 8080,
    }
    back = fleet.run("convert", "systems/hq/secrets.json", "-o", "back.yaml", "--yes")
    assert back.status == 0, back
    assert fleet.done("decrypt", "back.yaml") == fleet.done("decrypt", DOCUMENT)
    again = fleet.run("convert", DOCUMENT, "--output-type", "json", "--yes")
    assert (again.status, "exists and is not overwritten" in again.stderr) == (3, True)


def test_readers_that_nobody_knows_are_not_taken_over(fleet: Scene) -> None:
    folder = plain(fleet)
    (folder / "a.yaml").write_text(TEXTS["a.yaml"])
    who = recipient(fleet)
    assert fleet.run("encrypt", "a.yaml", "-i", "-y", "--age", who, folder="plain").status == 0
    refused = fleet.run("convert", "a.yaml", "--output-type", "json", "-y", folder="plain")
    assert refused.status == 3, refused
    options = ("--output-type", "json", "-y", "--age", who)
    assert fleet.run("convert", "a.yaml", *options, folder="plain").status == 0
    assert json.loads(fleet.run("decrypt", "a.json", folder="plain").text)["m"] == 1.5


def test_the_status_of_a_file_is_told_as_sops_does(fleet: Scene) -> None:
    folder = plain(fleet)
    for name, text in TEXTS.items():
        (folder / name).write_text(text)
        assert fleet.run("filestatus", name, folder="plain").text == '{"encrypted":false}\n'
        sealed = fleet.run("encrypt", name, "--age", recipient(fleet), folder="plain").stdout
        (folder / name).write_bytes(sealed)
        ours = fleet.run("filestatus", name, folder="plain").stdout
        assert ours == b'{"encrypted":true}\n'
        assert ours.strip() == sops(fleet, "filestatus", name, folder="plain").strip()
