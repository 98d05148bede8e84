from pathlib import PurePosixPath

import pytest

from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.layout import Layout, parse_path, parse_pattern
from nixsecrets.fleet.names import GroupName, HostName, PersonName, UserName

_HQ = HostName("hq")
_HOME = PurePosixPath("systems/hq")
_ME = UserName("me")


def test_the_default_is_the_model_fleet() -> None:
    layout = Layout()
    assert [
        str(path)
        for path in (
            layout.directory(_HQ, lambda _path: False),
            layout.host_document(_HQ, _HOME),
            layout.wiring(_HQ, _HOME),
            layout.group_document(GroupName("laptops")),
            layout.shared_document,
            layout.home_document(_HQ, _ME, _HOME),
            layout.admin_document,
            layout.host_key_document(_HQ),
            layout.host_key(_HQ),
            layout.person_key(PersonName("miscguy")),
            layout.user_key(_HQ, _ME),
            layout.policy,
        )
    ] == [
        "systems/hq",
        "systems/hq/secrets.yaml",
        "systems/hq/secrets.nix",
        "shared/secrets/laptops.yaml",
        "shared/secrets.yaml",
        "systems/hq/home/me.yaml",
        "keys/admins.yaml",
        "keys/hosts/hq.private.yaml",
        "keys/hosts/hq.pub",
        "keys/admins/miscguy.pub",
        "keys/users/hq/me.pub",
        ".sops.yaml",
    ]


def test_files_follow_a_host_into_a_directory_of_its_own() -> None:
    layout = Layout()
    home = PurePosixPath("systems/x86/hq")
    assert layout.host_document(_HQ, home) == home / "secrets.yaml"
    assert layout.wiring(_HQ, home) == home / "secrets.nix"
    assert layout.home_document(_HQ, _ME, home) == home / "home/me.yaml"
    assert layout.host_key(_HQ) == PurePosixPath("keys/hosts/hq.pub")


def test_a_document_elsewhere_does_not_follow_the_directory() -> None:
    layout = Layout.of(("systems/{host}",), {"host-document": "systems/{host}.yaml"})
    found = layout.host_document(_HQ, PurePosixPath("systems/x86/hq"))
    assert found == PurePosixPath("systems/hq.yaml")


def test_files_lie_in_the_hosts_directory_unless_a_pattern_says_otherwise() -> None:
    layout = Layout.of(("machines/{host}",), {})
    assert layout.wiring(_HQ, PurePosixPath("machines/hq")) == PurePosixPath(
        "machines/hq/secrets.nix"
    )


def test_of_several_directories_the_one_that_is_there() -> None:
    layout = Layout.of(("systems/{host}", "hosts/{host}"), {})
    there = PurePosixPath("hosts/hq")
    assert layout.directory(_HQ, lambda path: path == there) == there
    assert layout.directory(_HQ, lambda _path: False) == _HOME
    assert layout.host_document(_HQ, there) == there / "secrets.yaml"


@pytest.mark.parametrize(
    "text",
    ["", " ", "/etc/x", "../x", "a/../b", "a/./b", "./a", "a//b", "a/", "x/.git/hooks", "a\nb"],
)
def test_refuses_paths_that_leave_the_repository_or_are_spelled_oddly(text: str) -> None:
    with pytest.raises(RepositoryError):
        parse_path(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("systems/{hosts}", "'{hosts}' has no meaning in the pattern 'systems/{hosts}'"),
        ("{host}/{group}", "'{group}' has no meaning in the pattern '{host}/{group}'"),
        ("systems/{host", "'{' has no meaning in the pattern 'systems/{host'"),
        ("systems/all", "the pattern 'systems/all' gives every host the same path"),
        ("/etc/{host}", "'/etc/{host}' is an absolute path"),
    ],
)
def test_refuses_patterns_with_a_reason(text: str, problem: str) -> None:
    with pytest.raises(RepositoryError) as caught:
        parse_pattern(text, "{host}")
    assert caught.value.problem == problem
    assert caught.value.hint


@pytest.mark.parametrize(
    ("pattern", "files"),
    [
        ("keys/users/{host}/{user}.pub", {"keys/users/hq": ["me.pub", "you.pub", "a b.pub", "x"]}),
        ("keys/{user}/of-{host}", {"keys": ["you", "me", "they"], "keys/me": ["of-hq"],
                                   "keys/you": ["of-hq"], "keys/they": ["of-t460"]}),
        ("{host}-{user}", {"": ["hq-me", "hq-you", "t460-me", "hq"]}),
    ],
    ids=["folder of a host", "folder of a user", "at the top"],
)  # fmt: skip
def test_users_are_those_with_a_key_file(pattern: str, files: dict[str, list[str]]) -> None:
    known = {PurePosixPath(folder): names for folder, names in files.items()}
    layout = Layout.of(("systems/{host}",), {"user-key": pattern})
    assert layout.users(_HQ, lambda folder: known.get(folder, [])) == ("me", "you")
