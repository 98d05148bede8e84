"""What `check` promises as a whole; each kind of finding has a module of its own."""

import os
from collections.abc import Callable
from contextlib import nullcontext

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyrage import x25519

from nixsecrets.audit import check
from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.load import open_repository
from nixsecrets.system import git
from tests.audit.clean_fleet import NOW, Place, path_of

DOCUMENT = "systems/hq/secrets.yaml"
IDENTITY = f"{x25519.Identity.generate()}\n"


def test_a_fleet_in_order_has_no_findings(place: Place) -> None:
    assert place.found() == []
    assert place.found("hq", "t15g") == []


def test_a_fleet_without_git_is_checked_too(place: Place) -> None:
    index = git.walk(place.root)
    repository = open_repository(place.root, lambda: index.untracked)
    assert check.run(repository, None, NOW) == ()


def test_only_what_concerns_the_hosts_is_told(place: Place) -> None:
    place.write("systems/hq/secrets.yaml", "in: clear\n")
    place.write("systems/t15g/secrets.nix", "{ }\n")
    place.write("notes/key.txt", IDENTITY)
    everywhere = {path_of(one.place) for one in place.check()}
    assert {str(path) for path in everywhere} == {
        "systems/hq/secrets.yaml",
        "systems/t15g/secrets.nix",
        "notes/key.txt",
    }
    assert [one.rule for one in place.check("hq")] == ["document/not-encrypted"]
    assert [one.rule for one in place.check("t15g")] == ["wiring/hand-edited"]
    assert place.check("vm01") == ()


def test_what_lies_below_another_policy_is_not_looked_at(place: Place) -> None:
    place.write("vendor/.sops.yaml", "creation_rules: []\n")
    place.write("vendor/keys.txt", IDENTITY)
    place.write("vendor/secrets.yaml", place.sealed("a: b\n", ["ann"]))
    assert place.found() == []


def test_a_file_that_cannot_be_read_is_told_and_stops_nothing(place: Place) -> None:
    (place.root / DOCUMENT).unlink()
    (place.root / DOCUMENT).symlink_to("secrets.yaml")
    assert [(one.rule, one.place) for one in place.check()] == [
        ("document/unreadable", DOCUMENT),
        ("plaintext/unread", DOCUMENT),
    ]


def test_a_submodule_and_a_link_into_nowhere_are_passed_over(place: Place) -> None:
    for path in ("sub", "link"):
        place.write(path, "")
        (place.root / path).unlink()
    (place.root / "sub").mkdir()
    (place.root / "link").symlink_to("nowhere")
    assert place.found() == []


HOSTILE = {
    "nothing": b"",
    "zeros": b"\0" * 64,
    "not UTF-8": b"\xff\xfe\xfd",
    "half a document": b"sops:\n  mac: ENC[\nlastmodified",
    "sops is a text": b"a: ENC[AES256_GCM,data:aa==]\nsops: lastmodified\n",
    "sops is a list": b"sops: [lastmodified]\n",
    "a list at top": b"- sops\n- lastmodified\n",
    "metadata of wrong types": b"sops:\n  age: 1\n  lastmodified: []\n  mac: {}\n  version: 3\n",
    "a regex that RE2 refuses": b"sops: {lastmodified: x, version: 3.9.0, encrypted_regex: '('}\n",
    "deep flow": b"sops: lastmodified\na: " + b"[" * 5000,
    "deep metadata": b"sops: {lastmodified: " + b"{a: " * 5000 + b"}" * 5001,
    "deep block": b"sops: lastmodified\n" + b"".join(b" " * d + b"a:\n" for d in range(1100)),
    "a number without end": b"sops: {lastmodified: " + b"9" * 6000 + b"}\na: " + b"9" * 6000,
    "nesting of Nix": b"{ imports = " + b"(" * 3000 + b"1" + b")" * 3000 + b"; }",
    "lists of Nix": b"{ imports = " + b"[" * 3000 + b"]" * 3000 + b"; sops = 1; }",
    "anchors and aliases": b"a: &a [1]\nb: *a\nsops: lastmodified\n",
    "aliases by the billion": b"a: &a [x]\n"
    + b"".join(b"a%d: &a%d [*a%d, *a%d]\n" % (n + 1, n + 1, n, n) for n in range(1))
    + b"sops: lastmodified\n",
    "line ends": b"\r\n\r\r\n\xe2\x80\xa8sops: lastmodified",
}
VICTIMS = (
    DOCUMENT,
    "nixsecrets.yaml",
    ".sops.yaml",
    "flake.nix",
    "flake.lock",
    "systems/hq/configuration.nix",
    "systems/hq/secrets.nix",
    "keys/hosts/hq.pub",
    "keys/admins/ann.pub",
    "shared/base.nix",
)


def _survives(place: Place, victim: str) -> None:
    """Check the fleet; a manifest, policy or key file that cannot be read names its place."""
    speaks_of_fleet = victim in ("nixsecrets.yaml", ".sops.yaml") or victim.startswith("keys/")
    with pytest.raises(RepositoryError) if speaks_of_fleet else nullcontext() as caught:
        found = place.check()
        assert all(one.place and one.words for one in found)
        if speaks_of_fleet:
            raise RepositoryError("it can be read").within(victim)
    assert caught is None or caught.value.place == victim


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_no_content_of_a_file_is_a_fault_of_the_tool(place: Place, content: bytes) -> None:
    for victim in VICTIMS:
        file = place.root / victim
        whole = file.read_bytes()
        file.write_bytes(content)
        _survives(place, victim)
        file.write_bytes(whole)


def test_metadata_without_end_is_told_where_all_is_delivered_too(place: Place) -> None:
    place.write("nixsecrets.yaml", place.read("nixsecrets.yaml") + "wiring: { deliver: all }\n")
    place.plan()
    place.write(DOCUMENT, HOSTILE["deep metadata"])
    assert [(one.rule, one.place) for one in place.check()] == [("document/unreadable", DOCUMENT)]


def _spliced(draw: Callable[[st.SearchStrategy[int]], int], whole: bytes, new: bytes) -> bytes:
    start = draw(st.integers(0, len(whole)))
    end = draw(st.integers(start, min(len(whole), start + 40)))
    return whole[:start] + new + whole[end:]


@pytest.mark.parametrize("victim", VICTIMS)
@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_no_damage_to_a_file_is_a_fault_of_the_tool(
    place: Place, victim: str, data: st.DataObject
) -> None:
    file = place.root / victim
    whole = file.read_bytes()
    new = data.draw(st.binary(max_size=60))
    try:
        is_whole = data.draw(st.booleans())
        file.write_bytes(new if is_whole else _spliced(data.draw, whole, new))
        _survives(place, victim)
    finally:
        file.write_bytes(whole)


def test_a_name_that_is_no_text_is_no_fault_of_the_tool(place: Place) -> None:
    name = os.fsdecode(b"systems/hq/\xff.yaml")
    place.edit(".sops.yaml", "creation_rules:\n", "creation_rules:\n  - path_regex: systems/hq/\n")
    place.write(name, "in: clear\n")
    assert [one.place for one in place.check() if "not-encrypted" in one.rule] == [name]
