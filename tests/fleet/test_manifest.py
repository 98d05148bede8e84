from contextlib import suppress
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nixsecrets.errors import ExitStatus, RepositoryError
from nixsecrets.fleet.layout import Layout
from nixsecrets.fleet.manifest import parse_manifest
from nixsecrets.fleet.model import (
    Admins,
    AtHome,
    CommitSettings,
    Declaration,
    Deliver,
    Engine,
    Evaluate,
    Group,
    Host,
    HostSettings,
    IdentityFile,
    IdentitySsh,
    InGroup,
    Manifest,
    OnHost,
    Person,
    RebuildSettings,
    Role,
    Shared,
)
from nixsecrets.fleet.names import GroupName, HostName, PersonName, SecretName, UserName
from tests.fleet.fleets import MODEL

HQ, T460, T15G, VM01, MAC = (HostName(name) for name in ("hq", "t460", "t15g", "vm01", "mac"))


def _host(name: HostName, **settings: object) -> Host:
    return Host.of(name, HostSettings(**settings), PurePosixPath("systems", name))


def test_reads_the_model_fleet() -> None:
    assert parse_manifest(MODEL) == Manifest(
        layout=Layout(),
        people=(Person(PersonName("miscguy")), Person(PersonName("ops"))),
        hosts=(
            _host(HQ, attribute="nixhq", address="nixhq"),
            _host(T460, attribute="nixt460", address="nixt460"),
            _host(T15G, attribute="nixt15g", address="root@nixt15g"),
            _host(
                VM01,
                configuration=PurePosixPath("systems/vm01/configuration.nix"),
                identity=IdentityFile("/var/lib/sops-nix/key.txt"),
                engine=Engine.PRINT,
            ),
            _host(
                MAC,
                configuration=PurePosixPath("systems/mac/configuration.nix"),
                host_name="nixmac",
            ),
        ),
        groups=(
            Group(GroupName("laptops"), (T460, T15G)),
            Group(GroupName("servers"), (HQ,), (PersonName("ops"),)),
        ),
        declarations=(
            Declaration(
                SecretName("miscguy/hashed-password"),
                Shared(),
                needed_for_users=True,
                consumers=("users.users.miscguy.hashedPasswordFile",),
            ),
            Declaration(
                SecretName("wifi/psk"),
                InGroup(GroupName("laptops")),
                restart_units=("wpa_supplicant.service",),
            ),
            Declaration(
                SecretName("nextcloud/admin-password"),
                OnHost(HQ),
                owner="nextcloud",
                group="nextcloud",
                mode="0400",
                restart_units=("phpfpm-nextcloud.service",),
                consumers=("services.nextcloud.config.adminpassFile",),
            ),
            Declaration(SecretName("github/token"), OnHost(T460), deliver=False),
            Declaration(SecretName("github/token"), OnHost(T15G)),
        ),
        deliver=Deliver.DECLARED,
        rebuild=RebuildSettings(commit=CommitSettings(paths=("flake.nix", "{directory}", "keys"))),
    )


def test_what_a_host_leaves_out_follows_from_the_rest() -> None:
    hosts = {host.name: host for host in parse_manifest(MODEL).hosts}
    assert [hosts[name].host_name for name in hosts] == [
        "nixhq",
        "nixt460",
        "nixt15g",
        "vm01",
        "nixmac",
    ]
    assert [hosts[name].anchor for name in hosts] == ["hq", "t460", "t15g", "vm01", "mac"]
    assert hosts[HQ].configuration == PurePosixPath("systems/hq/configuration.nix")
    assert [name for name in hosts if hosts[name].without_flake] == ["vm01", "mac"]


def test_a_declaration_knows_its_line() -> None:
    lines = MODEL.decode().splitlines()
    for declaration in parse_manifest(MODEL).declarations:
        assert lines[declaration.line - 1].strip().startswith(f"{declaration.name}:")


@pytest.mark.parametrize(
    "text",
    [
        "version: 1",
        "version: 1\nhosts:\npeople: {}\nsecrets: ~\n",
        '{"version": 1, "hosts": null}',
        "--- # the fleet\r\nversion: 1\r\n...\r\n",
        "\ufeffversion: 1\n",
    ],
)
def test_every_section_but_the_version_is_optional(text: str) -> None:
    assert parse_manifest(text.encode()) == Manifest()


def test_people_have_roles() -> None:
    people = "a: { role: admin }, b: { role: member }, c: { role: escrow }, d:"
    text = f"version: 1\npeople: {{ {people} }}\n"
    roles = [person.role for person in parse_manifest(text.encode()).people]
    assert roles == [Role.ADMIN, Role.MEMBER, Role.ESCROW, Role.ADMIN]


def test_evaluation_is_asked_for_by_its_name() -> None:
    assert parse_manifest(b"version: 1\nevaluate: pure\n").evaluate is Evaluate.PURE


def test_one_declaration_stands_for_a_value_per_host() -> None:
    text = _TWO + "secrets:\n  each:\n    all: { a: { mode: '0400' } }\n    some: { b: }\n"
    assert parse_manifest(text.encode()).declarations == (
        Declaration(SecretName("a"), OnHost(HQ), mode="0400", each="all"),
        Declaration(SecretName("a"), OnHost(T15G), mode="0400", each="all"),
        Declaration(SecretName("b"), OnHost(HQ), each="some"),
    )


def test_a_home_is_apart_from_its_host() -> None:
    text = _TWO + (
        "secrets:\n  shared: { a: { consumers: [x] } }\n"
        "  home: { me: { a: { hosts: [hq, t15g], consumers: [x], path: /a } } }\n"
    )
    me = UserName("me")
    assert parse_manifest(text.encode()).declarations == (
        Declaration(SecretName("a"), Shared(), consumers=("x",)),
        Declaration(SecretName("a"), AtHome(HQ, me), consumers=("x",), path="/a"),
        Declaration(SecretName("a"), AtHome(T15G, me), consumers=("x",), path="/a"),
    )


def test_what_admins_keep_is_delivered_nowhere() -> None:
    text = b"version: 1\nsecrets: { admins: { a: { description: b } }, shared: { a: } }\n"
    assert parse_manifest(text).declarations == (
        Declaration(SecretName("a"), Admins(), deliver=False, description="b"),
        Declaration(SecretName("a"), Shared()),
    )


def test_what_people_are_told_of_a_secret_is_kept() -> None:
    text = (
        b"version: 1\nsecrets:\n  shared:\n    a:\n      description: the web administrator\n"
        b"      max-age: 365d\n      rotation: tell bob\n      reload-units: [x.service]\n"
        b"      path: /etc/a\n"
    )
    assert parse_manifest(text).declarations == (
        Declaration(
            SecretName("a"),
            Shared(),
            path="/etc/a",
            reload_units=("x.service",),
            description="the web administrator",
            max_age=365,
            rotation="tell bob",
        ),
    )


def test_a_host_lives_in_the_directory_that_is_there() -> None:
    text = b"version: 1\nlayout: { host: ['systems/{host}', 'hosts/{host}'] }\nhosts: { hq: {} }\n"
    there = PurePosixPath("hosts/hq")
    (host,) = parse_manifest(text, lambda path: path == there).hosts
    assert (host.directory, host.configuration) == (there, there / "configuration.nix")


def test_reads_several_ssh_identities_and_a_directory() -> None:
    text = (
        b"version: 1\nhosts:\n  dev:\n    directory: hosts/x/dev\n    identity: { ssh: [/a, /b] }\n"
    )
    (host,) = parse_manifest(text).hosts
    assert host.identity == IdentitySsh(("/a", "/b"))
    assert host.directory == PurePosixPath("hosts/x/dev")


def test_commits_can_be_switched_off() -> None:
    text = b"version: 1\nrebuild: { engine: print, log: '{host}.log', commit: false }\n"
    assert parse_manifest(text).rebuild == RebuildSettings(Engine.PRINT, "{host}.log", None)


_TWO = "version: 1\nhosts: { hq: {}, t15g: {} }\ngroups: { some: { hosts: [hq] } }\n"
_HOSTS = "version: 1\nhosts: { hq: {}, t15g: {} }\ngroups: { all2: { hosts: [hq] } }\n"

BAD: dict[str, tuple[str, str, str]] = {
    "no version": ("hosts: {}\n", "1:1", "the manifest says no version"),
    "empty": ("", "1:1", "the manifest says no version"),
    "a list": ("- a\n", "1:1", "the manifest must be a mapping"),
    "later version": ("version: 2\n", "1:10", "the manifest is of another version"),
    "version as text": ('version: "1"\n', "1:10", "the manifest is of another version"),
    "unknown section": (
        "version: 1\nhost: {}\n",
        "2:1",
        "unknown manifest key 'host' in the manifest",
    ),
    "unknown key of a host": (
        "version: 1\nhosts:\n  hq: { atribute: x }\n",
        "3:9",
        "unknown manifest key 'atribute' in a host",
    ),
    "unknown key of a layout": (
        "version: 1\nlayout:\n  hostt: x/{host}\n",
        "3:3",
        "unknown manifest key 'hostt' in layout",
    ),
    "templates": (
        "version: 1\ntemplates: { home: {} }\n",
        "2:14",
        "unknown manifest key 'home' in templates",
    ),
    "home document of nobody": (
        "version: 1\nlayout:\n  home-document: systems/{host}.yaml\n",
        "3:18",
        "the pattern 'systems/{host}.yaml' gives every user the same path",
    ),
    "user key of no host": (
        "version: 1\nlayout:\n  user-key: keys/{user}\n",
        "3:13",
        "the pattern 'keys/{user}' gives every host the same path",
    ),
    "admin document of a host": (
        "version: 1\nlayout:\n  admin-document: '{host}.yaml'\n",
        "3:19",
        "'{host}' has no meaning in the pattern '{host}.yaml'",
    ),
    "unknown scope": (
        "version: 1\nsecrets: { admin: {} }\n",
        "2:12",
        "unknown manifest key 'admin' in secrets",
    ),
    "owner of the admins": (
        "version: 1\nsecrets: { admins: { a: { owner: me } } }\n",
        "2:27",
        "'owner' stands here, which is of no use: it is delivered nowhere",
    ),
    "units of a home": (
        _TWO + "secrets: { home: { me: { a: { hosts: [hq], restart-units: [x] } } } }\n",
        "4:44",
        "'restart-units' stands here, which sops-nix has not in Home Manager",
    ),
    "home on no host": (
        _TWO + "secrets: { home: { me: { a: {} } } }\n",
        "4:26",
        "'a' of a home names no host",
    ),
    "home on an unknown host": (
        _TWO + "secrets: { home: { me: { a: { hosts: [hp] } } } }\n",
        "4:39",
        "unknown host 'hp'",
    ),
    "home on a host twice": (
        _TWO + "secrets: { home: { me: { a: { hosts: [hq, hq] } } } }\n",
        "4:43",
        "'hq' stands here twice",
    ),
    "home of nobody": (
        _TWO + "secrets: { home: { all: {} } }\n",
        "4:20",
        "'all' cannot be the name of a user",
    ),
    "hosts of a host": (
        _TWO + "secrets: { hosts: { hq: { a: { hosts: [hq] } } } }\n",
        "4:32",
        "unknown manifest key 'hosts' in a declaration",
    ),
    "each of an unknown group": (
        _TWO + "secrets: { each: { al: {} } }\n",
        "4:20",
        "unknown group 'al'",
    ),
    "one name for each and on one host": (
        _TWO + "secrets:\n  each: { all: { a: {} } }\n  hosts: { t15g: { a: {} } }\n",
        "6:20",
        "host/t15g:a and host/t15g:a of line 5 reach one host",
    ),
    "one name for each of all and of a group": (
        _TWO + "secrets:\n  each:\n    all: { a: {} }\n    some: { a: {} }\n",
        "7:13",
        "host/hq:a and host/hq:a of line 6 reach one host",
    ),
    "a name below one for each": (
        _TWO + "secrets:\n  shared: { a/b: {} }\n  each: { all: { a: {} } }\n",
        "6:18",
        (
            "host/hq:a and shared:a/b of line 5 reach one host, "
            "and a value cannot have others below it"
        ),
    ),
    "a beside a/b in a home": (
        _TWO + "secrets: { home: { me: { a: { hosts: [hq] }, a/b: { hosts: [hq] } } } }\n",
        "4:46",
        (
            "home/hq/me:a/b and home/hq/me:a of line 4 reach one host, "
            "and a value cannot have others below it"
        ),
    ),
    "a home in a host's document": (
        _TWO + "layout: { home-document: 'systems/{host}/{user}.yaml' }\n"
        "secrets: { home: { secrets: { a: { hosts: [hq] } } } }\n",
        "5:31",
        "user 'secrets' of host 'hq' and host 'hq' have the same file systems/hq/secrets.yaml",
    ),
    "the admins' document in the shared one's place": (
        "version: 1\nlayout: { admin-document: shared/secrets.yaml }\n",
        "2:1",
        "the admins' document and the shared document have the same file shared/secrets.yaml",
    ),
    "age in words": (
        "version: 1\nsecrets: { shared: { a: { max-age: a year } } }\n",
        "2:36",
        "'a year' is no number of days",
    ),
    "relative path": (
        "version: 1\nsecrets: { shared: { a: { path: x/y } } }\n",
        "2:33",
        "'x/y' is no absolute path",
    ),
    "generator": (
        "version: 1\nsecrets:\n  shared:\n    a: { generator: promt }\n",
        "4:21",
        "unknown generator 'promt'",
    ),
    "undeclared input": (
        "version: 1\nsecrets:\n  shared:\n    a: { generator: { hashed-password: { of: b } } }\n",
        "4:5",
        "shared:a is made from 'b', which is not declared",
    ),
    "circle of inputs": (
        "version: 1\nsecrets:\n  shared:\n    a: { generator: { hashed-password: { of: a } } }\n",
        "4:5",
        "values are made from each other in a circle: shared:a → shared:a",
    ),
    "other role": ("version: 1\npeople: { ops: { role: boss } }\n", "2:24", "'boss' is no 'role'"),
    "impure evaluation": (
        "version: 1\nevaluate: impure\n",
        "2:11",
        "'impure' is no 'evaluate'",
    ),
    "full": (
        "version: 1\nrebuild:\n  full: {}\n",
        "3:3",
        "the manifest key 'full' is not supported yet",
    ),
    "name of a host": (
        "version: 1\nhosts:\n  shared: {}\n",
        "3:3",
        "'shared' cannot be the name of a host",
    ),
    "name of a secret": (
        "version: 1\nsecrets:\n  shared:\n    sops/x: {}\n",
        "4:5",
        "the secret name 'sops/x' begins with 'sops', which sops keeps for itself",
    ),
    "hosts as list": ("version: 1\nhosts: [hq]\n", "2:8", "hosts must be a mapping"),
    "plain mode": (
        "version: 1\nsecrets:\n  shared:\n    a: { mode: 0400 }\n",
        "4:16",
        "'mode' must be a string",
    ),
    "odd mode": (
        'version: 1\nsecrets:\n  shared:\n    a: { mode: "0800" }\n',
        "4:16",
        "the mode '0800' is not octal",
    ),
    "deliver as text": (
        'version: 1\nsecrets:\n  shared:\n    a: { deliver: "no" }\n',
        "4:19",
        "'deliver' must be true or false",
    ),
    "units as text": (
        "version: 1\nsecrets:\n  shared:\n    a: { restart-units: x.service }\n",
        "4:25",
        "'restart-units' must be a list",
    ),
    "consumer with interpolation": (
        "version: 1\nsecrets:\n  shared:\n    a: { consumers: ['x.${y}'] }\n",
        "4:22",
        "'x.${y}' is no path of a NixOS option",
    ),
    "consumer that goes on": (
        "version: 1\nsecrets:\n  shared:\n    a: { consumers: ['x = 1; y'] }\n",
        "4:22",
        "'x = 1; y' is no path of a NixOS option",
    ),
    "consumer with a keyword": (
        "version: 1\nsecrets:\n  shared:\n    a: { consumers: [let.x] }\n",
        "4:22",
        "'let.x' is no path of a NixOS option",
    ),
    "consumer of nothing": (
        "version: 1\nsecrets:\n  shared:\n    a:\n      deliver: false\n      consumers: [x]\n",
        "6:7",
        "'consumers' of a secret that is not delivered",
    ),
    "owner before users": (
        "version: 1\nsecrets:\n  shared:\n    a: { needed-for-users: true, owner: me }\n",
        "4:34",
        "'owner' beside 'needed-for-users': there are no users yet, root owns the file",
    ),
    "absolute path": (
        "version: 1\nlayout: { policy: /etc/sops.yaml }\n",
        "2:19",
        "'/etc/sops.yaml' is an absolute path",
    ),
    "path upwards": (
        "version: 1\nhosts:\n  hq: { directory: ../hq }\n",
        "3:20",
        "'../hq' is no plain path below the repository's root",
    ),
    "other placeholder": (
        'version: 1\nlayout:\n  host:\n    - systems/{host}\n    - "{user}/{host}"\n',
        "5:7",
        "'{user}' has no meaning in the pattern '{user}/{host}'",
    ),
    "generation in the log": (
        'version: 1\nrebuild: { log: "{generation}.log" }\n',
        "2:17",
        "'{generation}' has no meaning here",
    ),
    "address that is an option": (
        "version: 1\nhosts:\n  hq: { address: -oProxyCommand=x }\n",
        "3:18",
        "'-oProxyCommand=x' is no address for ssh",
    ),
    "host behind the user that is an option": (
        "version: 1\nhosts:\n  hq: { address: me@-x }\n",
        "3:18",
        "'me@-x' is no address for ssh",
    ),
    "attribute with a blank": (
        "version: 1\nhosts:\n  hq: { attribute: 'a b' }\n",
        "3:20",
        "'a b' is no attribute of a flake",
    ),
    "two identities": (
        "version: 1\nhosts:\n  hq: { identity: { file: /a, ssh: [/b] } }\n",
        "3:9",
        "an identity is one of 'file' and 'ssh'",
    ),
    "relative identity": (
        "version: 1\nhosts:\n  hq: { identity: { file: key.txt } }\n",
        "3:27",
        "'key.txt' is no absolute path",
    ),
    "group of an unknown host": (
        "version: 1\nhosts: { t15g: {} }\ngroups:\n  laptops: { hosts: [t15] }\n",
        "4:22",
        "unknown host 't15'",
    ),
    "group of an unknown person": (
        "version: 1\ngroups:\n  laptops: { people: [me] }\n",
        "3:23",
        "unknown person 'me'",
    ),
    "a host twice in a group": (
        "version: 1\nhosts: { hq: {} }\ngroups:\n  g:\n    hosts:\n    - hq\n    - hq\n",
        "7:7",
        "'hq' stands here twice",
    ),
    "secrets of an unknown group": (
        _HOSTS + "secrets:\n  groups:\n    all3: {}\n",
        "6:5",
        "unknown group 'all3'",
    ),
    "secrets of an unknown host": (
        _HOSTS + "secrets:\n  hosts: { hp: { a: {} } }\n",
        "5:12",
        "unknown host 'hp'",
    ),
    "one name in two scopes": (
        _HOSTS + "secrets:\n  shared:\n    a: {}\n  hosts:\n    hq:\n      a: {}\n",
        "9:7",
        "host/hq:a and shared:a of line 6 reach one host",
    ),
    "one name in a host and its group": (
        _HOSTS + "secrets:\n  hosts: { hq: { a: {} } }\n  groups: { all2: { a: {} } }\n",
        "6:21",
        "group/all2:a and host/hq:a of line 5 reach one host",
    ),
    "a beside a/b": (
        _HOSTS + "secrets:\n  shared:\n    a/b: {}\n  hosts:\n    hq:\n      a: {}\n",
        "9:7",
        (
            "host/hq:a and shared:a/b of line 6 reach one host, "
            "and a value cannot have others below it"
        ),
    ),
    "a beside a/b in a group without hosts": (
        "version: 1\ngroups: { g: }\nsecrets: { groups: { g: { a/b/c: , a: } } }\n",
        "3:36",
        (
            "group/g:a and group/g:a/b/c of line 3 reach one host, "
            "and a value cannot have others below it"
        ),
    ),
    "a beside a/b where no host is": (
        "version: 1\nsecrets: { shared: { a: , a/b: } }\n",
        "2:27",
        "shared:a/b and shared:a of line 2 reach one host, and a value cannot have others below it",
    ),
    "one consumer of two": (
        _HOSTS + "secrets:\n  shared:\n    a: { consumers: [x] }\n    b: { consumers: [x] }\n",
        "7:5",
        "shared:b and shared:a of line 6 both set x",
    ),
    "two hosts with one attribute": (
        "version: 1\nhosts:\n  hq: { attribute: x }\n  t15g: { attribute: x, host-name: y }\n",
        "4:3",
        "host 't15g' and host 'hq' have the same attribute 'x'",
    ),
    "two hosts with one host name": (
        "version: 1\nhosts:\n  hq: {}\n  t15g: { host-name: hq }\n",
        "4:3",
        "host 't15g' and host 'hq' have the same host-name 'hq'",
    ),
    "two hosts with one anchor": (
        "version: 1\nhosts:\n  hq: {}\n  t15g: { anchor: hq }\n",
        "4:3",
        "host 't15g' and host 'hq' have the same anchor 'hq'",
    ),
    "a host with a person's anchor": (
        "version: 1\npeople: { hq: {} }\nhosts:\n  hq: {}\n",
        "4:3",
        "host 'hq' and person 'hq' have the same anchor 'hq'",
    ),
    "two hosts in one directory": (
        "version: 1\nhosts:\n  hq: {}\n  t15g: { directory: systems/hq }\n",
        "4:3",
        "host 't15g' and host 'hq' have the same file systems/hq/secrets.yaml",
    ),
    "a group in the shared document": (
        "version: 1\nlayout: { group-document: 'shared/{group}.yaml' }\ngroups:\n  secrets: {}\n",
        "4:3",
        "group 'secrets' and the shared document have the same file shared/secrets.yaml",
    ),
    "the shared document in the policy's place": (
        "version: 1\nlayout: { shared-document: .sops.yaml }\n",
        "2:1",
        "the shared document and the policy have the same file .sops.yaml",
    ),
    "wiring over a configuration": (
        (
            "version: 1\nlayout: { wiring: '{host}/x.nix' }\nhosts:\n"
            "  a: { configuration: b/x.nix }\n  b: {}\n"
        ),
        "5:3",
        "host 'b' and the configuration of host 'a' have the same file b/x.nix",
    ),
    "a host and a person in one file": (
        (
            "version: 1\nlayout: { host-key: 'keys/{host}', person-key: 'keys/{person}' }\n"
            "people: { me: {} }\nhosts: { me: { anchor: x } }\n"
        ),
        "4:10",
        "host 'me' and person 'me' have the same file keys/me",
    ),
    "a key twice": (
        "version: 1\nhosts:\n  hq: {}\n  hq: {}\n",
        "4:3",
        "'hq' stands here twice",
    ),
    "anchor": (
        "version: 1\nhosts:\n  hq: &x {}\n  t15g: *x\n",
        "3:7",
        "anchors and aliases are not read here",
    ),
    "alias": ("version: *x\n", "1:10", "anchors and aliases are not read here"),
    "merge": (
        "version: 1\nhosts:\n  hq:\n    <<: {}\n",
        "4:5",
        "unknown manifest key '<<' in a host",
    ),
    "tag": ("version: !!int 1\n", "1:10", "tags are not read here"),
    "second document": ("version: 1\n---\nversion: 1\n", "2:1", "a second YAML document"),
    "no text": ("version: 1\n? [a]\n: b\n", "2:3", "a mapping whose manifest key is no text"),
    "too deep": ("version: " + "[" * 50 + "]" * 50, "1:29", "nested too deeply"),
    "open bracket": (
        "version: 1\nhosts: {\n",
        "3:1",
        "not YAML: did not find expected node content",
    ),
    "control character": (
        "version: 1\nhosts: {}  # \x07\n",
        "2:14",
        "not YAML: a character that YAML does not allow",
    ),
    "control character behind others": (
        "version: 1\nhosts: {}  # \u00e9\U0001f511 \x07\n",
        "2:17",
        "not YAML: a character that YAML does not allow",
    ),
    "line break of YAML 1.1": (
        "version: 1\n# hosts\u2028people: {}\n",
        "2:8",
        "not YAML: a U+2028, which readers of YAML take differently",
    ),
    "second byte order mark": (
        "version: 1\n\ufeffhosts: {}\n",
        "2:1",
        "not YAML: a U+FEFF, which readers of YAML take differently",
    ),
    "tab": (
        "version: 1\n\thosts: x\n",
        "2:1",
        "not YAML: found a tab character that violates indentation",
    ),
}


@pytest.mark.parametrize(("text", "place", "problem"), BAD.values(), ids=BAD)
def test_refuses_a_bad_manifest_with_its_place(text: str, place: str, problem: str) -> None:
    with pytest.raises(RepositoryError) as caught:
        parse_manifest(text.encode())
    error = caught.value
    assert (f"{error.line}:{error.column}", error.problem) == (place, problem)
    assert error.status is ExitStatus.REPOSITORY
    with pytest.raises(RepositoryError) as caught:
        parse_manifest(text.replace("\n", "\r\n").encode())
    assert f"{caught.value.line}:{caught.value.column}" == place


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("version: 1\nhost: {}\n", "did you mean hosts?"),
        ("version: 1\nhosts: { hq: { zzz: 1 } }\n", "known here: directory, attribute,"),
        ("version: 1\nrebuild: { full: {} }\n", "leave it out for now"),
        ("version: 1\nsecrets: { each: { al: } }\n", "did you mean all?"),
        ("version: 1\nsecrets: { home: { me: { a: } } }\n", "say `hosts: [HOST]`"),
        ("version: 1\npeople: { me: { role: boss } }\n", "use admin or member or escrow"),
        ("version: 1\nhosts: { t15g: {} }\nsecrets: { hosts: { t15: } }\n", "did you mean t15g?"),
    ],
)
def test_the_hint_says_what_to_write(text: str, hint: str) -> None:
    with pytest.raises(RepositoryError) as caught:
        parse_manifest(text.encode())
    assert (caught.value.hint or "").startswith(hint)


def test_bytes_that_are_no_text_have_a_place() -> None:
    with pytest.raises(RepositoryError) as caught:
        parse_manifest(b"version: 1\n# \xff\n")
    assert (caught.value.line, caught.value.column) == (2, 3)


def test_a_host_may_be_called_like_a_number() -> None:
    text = b"version: 1\nhosts: { 007: {} }\ngroups: { g: { hosts: [007] } }\n"
    assert parse_manifest(text).groups == (Group(GroupName("g"), (HostName("007"),)),)


def test_the_same_name_on_hosts_that_share_nothing_is_two_secrets() -> None:
    text = _HOSTS + "secrets:\n  hosts: { t15g: { a: {} } }\n  groups: { all2: { a: {}, b: {} } }\n"
    assert len(parse_manifest(text.encode()).declarations) == 3


@given(st.integers(0, len(MODEL)), st.integers(0, 40), st.binary(max_size=6))
def test_a_damaged_manifest_is_read_or_refused(start: int, length: int, noise: bytes) -> None:
    damaged = MODEL[:start] + noise + MODEL[start + length :]
    with suppress(RepositoryError):
        assert parse_manifest(damaged).layout
