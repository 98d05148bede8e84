from pathlib import PurePosixPath

import pytest

from nixsecrets.errors import ExitStatus, NixsecretsError, UsageError
from nixsecrets.fleet.address import (
    Address,
    Leaves,
    Place,
    Purpose,
    ScopeChoice,
    candidates,
    locate,
    parse_argument,
)
from nixsecrets.fleet.model import Admins, Fleet, InFile, InGroup, OnHost, Shared
from nixsecrets.fleet.names import GroupName, HostName
from tests.fleet.fleets import model_fleet

_HQ = PurePosixPath("systems/hq/secrets.yaml")
_MAC = PurePosixPath("systems/mac/secrets.yaml")
_OLD = PurePosixPath("old/secrets.yaml")
_DOCUMENTS = {_HQ: ["mail/password", "both"], _MAC: ["both"], _OLD: ["legacy"]}


def _leaves(*paths: PurePosixPath) -> Leaves:
    return Leaves(
        paths,
        lambda path, key_path: "/".join(key_path) in _DOCUMENTS[path],
        lambda path: _DOCUMENTS[path],
    )


_ALL = _leaves(_HQ, _MAC, _OLD)


def _unread(*_arguments: object) -> bool:
    pytest.fail("a document was looked at")


def _unlisted(_path: PurePosixPath) -> list[str]:
    pytest.fail("a document was looked at")


_NONE_READ = Leaves((_HQ,), _unread, _unlisted)


def _ask(argument: str, chosen: ScopeChoice | None = None) -> tuple[str, str]:
    place = locate(model_fleet(), argument, chosen, Purpose.READ, lambda: _NONE_READ)
    return str(place.path), str(place.address)


@pytest.mark.parametrize(
    "text",
    [
        "a/b",
        "admins:a/b",
        "shared:a/b",
        "group/laptops:a",
        "host/hq:a",
        "home/hq/me:a/b",
        "file/x/y.yaml:a",
        "file/a:b/c.yaml:a",
    ],
)
def test_an_address_is_spelled_as_it_is_read(text: str) -> None:
    assert str(parse_argument(text)) == text


@pytest.mark.parametrize(
    ("text", "problem", "status"),
    [
        ("admins/x:a", "'admins/x' is no scope", ExitStatus.USAGE),
        ("shared/x:a", "'shared/x' is no scope", ExitStatus.USAGE),
        ("home/me:a", "'home/me' is no scope", ExitStatus.USAGE),
        ("home/hq/a/b:a", "'a/b' is no name of a user", ExitStatus.REPOSITORY),
        ("hq:a", "'hq' is no scope", ExitStatus.USAGE),
        ("host:a", "'host' is no scope", ExitStatus.USAGE),
        (":a", "'' is no scope", ExitStatus.USAGE),
        ("host/a b:a", "'a b' is no name of a host", ExitStatus.REPOSITORY),
        ("shared:", "'' is no name of a secret", ExitStatus.REPOSITORY),
        ("file//etc/x:a", "'/etc/x' is an absolute path", ExitStatus.REPOSITORY),
    ],
)
def test_refuses_what_is_no_address(text: str, problem: str, status: ExitStatus) -> None:
    with pytest.raises(NixsecretsError) as caught:
        parse_argument(text)
    assert (caught.value.problem, caught.value.status) == (problem, status)


@pytest.mark.parametrize(
    ("argument", "chosen", "expected"),
    [
        ("wifi/psk", None, ("shared/secrets/laptops.yaml", "group/laptops:wifi/psk")),
        ("host/mac:x", None, ("systems/mac/secrets.yaml", "host/mac:x")),
        ("host/mac:x", OnHost(HostName("mac")), ("systems/mac/secrets.yaml", "host/mac:x")),
        ("x", OnHost(HostName("mac")), ("systems/mac/secrets.yaml", "host/mac:x")),
        ("x", Shared(), ("shared/secrets.yaml", "shared:x")),
        ("x", InGroup(GroupName("servers")), ("shared/secrets/servers.yaml", "group/servers:x")),
        ("x", Admins(), ("keys/admins.yaml", "admins:x")),
        ("file/keys/admins.yaml:x", None, ("keys/admins.yaml", "file/keys/admins.yaml:x")),
        ("home/hq/me:x", None, ("systems/hq/home/me.yaml", "home/hq/me:x")),
        ("x", InFile(_OLD), ("old/secrets.yaml", "file/old/secrets.yaml:x")),
        ("file/systems/hq/secrets.yaml:x", None, ("systems/hq/secrets.yaml", "host/hq:x")),
        (
            "github/token",
            OnHost(HostName("t460")),
            ("systems/t460/secrets.yaml", "host/t460:github/token"),
        ),
    ],
)
def test_addresses_scopes_and_declarations_need_no_document(
    argument: str, chosen: ScopeChoice | None, expected: tuple[str, str]
) -> None:
    assert _ask(argument, chosen) == expected


def test_a_place_knows_key_path_and_declaration() -> None:
    fleet = model_fleet()
    place = locate(fleet, "nextcloud/admin-password", None, Purpose.READ, lambda: _NONE_READ)
    declaration = fleet.declarations[2]
    assert place == Place(
        _HQ,
        ("nextcloud", "admin-password"),
        Address(OnHost(HostName("hq")), declaration.name),
        declaration,
    )
    assert locate(fleet, "shared:new", None, Purpose.WRITE, lambda: _NONE_READ).declaration is None


def test_an_undeclared_name_is_where_a_document_has_it() -> None:
    fleet = model_fleet()
    assert [
        str(locate(fleet, name, None, purpose, lambda: _ALL).address)
        for name in ("mail/password", "legacy")
        for purpose in Purpose
    ] == [
        "host/hq:mail/password",
        "host/hq:mail/password",
        "file/old/secrets.yaml:legacy",
        "file/old/secrets.yaml:legacy",
    ]


@pytest.mark.parametrize(
    ("argument", "chosen", "purpose", "status", "words"),
    [
        (
            "github/token",
            None,
            Purpose.READ,
            ExitStatus.USAGE,
            (
                "github/token is 2 secrets|say which one: host/t460:github/token, "
                "host/t15g:github/token"
            ),
        ),
        (
            "both",
            None,
            Purpose.WRITE,
            ExitStatus.USAGE,
            "both is 2 secrets|say which one: host/hq:both, host/mac:both",
        ),
        (
            "new",
            None,
            Purpose.WRITE,
            ExitStatus.USAGE,
            "new is new, and nothing says whose it is|say --host, --group or --shared",
        ),
        (
            "wifi/pks",
            None,
            Purpose.READ,
            ExitStatus.REPOSITORY,
            "no document has wifi/pks|did you mean wifi/psk?",
        ),
        (
            "mail/passwd",
            None,
            Purpose.READ,
            ExitStatus.REPOSITORY,
            "no document has mail/passwd|did you mean mail/password?",
        ),
        (
            "zzz",
            None,
            Purpose.READ,
            ExitStatus.REPOSITORY,
            "no document has zzz|`nixsecrets ls` lists all",
        ),
        (
            "host/t15:a",
            None,
            Purpose.WRITE,
            ExitStatus.REPOSITORY,
            "unknown host 't15'|did you mean t15g? `nixsecrets hosts` lists all",
        ),
        (
            "shared:a",
            OnHost(HostName("hq")),
            Purpose.READ,
            ExitStatus.USAGE,
            "shared:a and another scope are asked for at once|leave one of them out",
        ),
    ],
)
def test_says_why_a_name_means_no_place(
    argument: str, chosen: ScopeChoice | None, purpose: Purpose, status: ExitStatus, words: str
) -> None:
    with pytest.raises(NixsecretsError) as caught:
        locate(model_fleet(), argument, chosen, purpose, lambda: _ALL)
    assert caught.value.status is status
    assert f"{caught.value.problem}|{caught.value.hint}" == words


def test_without_a_manifest_documents_are_known_by_path() -> None:
    fleet = Fleet(managed=False)
    place = locate(fleet, "mail/password", None, Purpose.READ, lambda: _ALL)
    assert str(place.address) == "file/systems/hq/secrets.yaml:mail/password"
    with pytest.raises(UsageError) as caught:
        locate(fleet, "new", None, Purpose.WRITE, lambda: _ALL)
    assert caught.value.hint == "say --file"


def test_candidates_begin_with_this_machines_own() -> None:
    fleet = model_fleet()
    found = candidates(fleet, fleet.host("mac"), [_OLD, _HQ])
    assert [str(path) for path in found] == [
        "systems/mac/secrets.yaml",
        "shared/secrets/laptops.yaml",
        "shared/secrets/servers.yaml",
        "shared/secrets.yaml",
        "systems/hq/secrets.yaml",
        "systems/t460/secrets.yaml",
        "systems/t15g/secrets.yaml",
        "systems/vm01/secrets.yaml",
        "old/secrets.yaml",
    ]
