from collections.abc import Callable
from difflib import ndiff
from pathlib import PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.layout import Layout
from nixsecrets.fleet.manifest import parse_manifest
from nixsecrets.fleet.manifest_edit import add_host, add_person, add_to_group, checked, render_new
from nixsecrets.fleet.model import (
    Deliver,
    Engine,
    HostSettings,
    IdentityFile,
    IdentitySsh,
    Person,
)
from nixsecrets.fleet.names import GroupName, HostName, PersonName
from tests.fleet.fleets import MODEL

NEW = HostName("new")
PLAIN = HostSettings(attribute="nixnew", address="root@nixnew")
FULL = HostSettings(
    directory=PurePosixPath("hosts/x/new"),
    host_name="nixnew",
    anchor="new_host",
    address="root@[::1]",
    configuration=PurePosixPath("hosts/x/new/default.nix"),
    identity=IdentityFile("/var/lib/key.txt"),
    engine=Engine.PRINT,
)

HOSTS: dict[str, tuple[str, str]] = {
    "flow neighbours": (
        "version: 1\nhosts:\n  hq:   { attribute: nixhq }   # the desktop\n\n# the end\n",
        (
            "version: 1\nhosts:\n  hq:   { attribute: nixhq }   # the desktop\n"
            "  new: { attribute: nixnew, address: root@nixnew }\n\n# the end\n"
        ),
    ),
    "tight flow neighbours": (
        "version: 1\nhosts:\n    hq: {attribute: nixhq}\n",
        (
            "version: 1\nhosts:\n    hq: {attribute: nixhq}\n"
            "    new: { attribute: nixnew, address: root@nixnew }\n"
        ),
    ),
    "block neighbours, odd indentation, blank lines between": (
        (
            "version: 1\nhosts:\n   hq:\n     attribute: q\n\n   # old\n   mac:\n     address: m\n"
            "     # address: m\n\n\ngroups: {}\n"
        ),
        (
            "version: 1\nhosts:\n   hq:\n     attribute: q\n\n   # old\n   mac:\n     address: m\n"
            "     # address: m\n\n   new:\n     attribute: nixnew\n     address: root@nixnew\n"
            "\n\ngroups: {}\n"
        ),
    ),
    "CRLF": (
        "version: 1\r\nhosts:\r\n  hq:\r\n    attribute: nixhq # a\r\n# b\r\n",
        (
            "version: 1\r\nhosts:\r\n  hq:\r\n    attribute: nixhq # a\r\n"
            "  new:\r\n    attribute: nixnew\r\n    address: root@nixnew\r\n# b\r\n"
        ),
    ),
    "no final line break": (
        "version: 1\nhosts:\n  hq: {}",
        "version: 1\nhosts:\n  hq: {}\n  new: { attribute: nixnew, address: root@nixnew }\n",
    ),
    "a neighbour without a value": (
        "version: 1\nhosts:\n  hq: # none\n\ngroups:\n",
        (
            "version: 1\nhosts:\n  hq: # none\n  new: { attribute: nixnew, address: root@nixnew }\n"
            "\ngroups:\n"
        ),
    ),
    "section missing": (
        "version: 1\npeople:\n  me: {}\ngroups: {}\n",
        (
            "version: 1\npeople:\n  me: {}\nhosts:\n"
            "  new: { attribute: nixnew, address: root@nixnew }\ngroups: {}\n"
        ),
    ),
    "section missing among blank lines": (
        "version: 1 # one\n\npeople:\n    me: {}\n    # you: {}\n\n# nobody yet\ngroups: {}\n",
        (
            "version: 1 # one\n\npeople:\n    me: {}\n    # you: {}\n\nhosts:\n"
            "    new: { attribute: nixnew, address: root@nixnew }\n\n# nobody yet\ngroups: {}\n"
        ),
    ),
    "section missing in a fresh manifest": (
        "# ours\nversion: 1\n",
        "# ours\nversion: 1\n\nhosts:\n  new: { attribute: nixnew, address: root@nixnew }\n",
    ),
    "section empty": (
        "version: 1\nhosts: {}  # none\n",
        "version: 1\nhosts: { new: { attribute: nixnew, address: root@nixnew } }  # none\n",
    ),
    "section null": (
        "version: 1\nhosts:   # none yet\n  # really\n\ngroups: {}\n",
        (
            "version: 1\nhosts:   # none yet\n  # really\n"
            "  new: { attribute: nixnew, address: root@nixnew }\n\ngroups: {}\n"
        ),
    ),
    "section spelled null": (
        "version: 1\nhosts: ~ # none\n",
        "version: 1\nhosts: # none\n  new: { attribute: nixnew, address: root@nixnew }\n",
    ),
    "flow section": (
        "version: 1\nhosts: {hq: {attribute: x}, mac: {attribute: y}}\n",
        (
            "version: 1\nhosts: {hq: {attribute: x}, mac: {attribute: y}, "
            "new: {attribute: nixnew, address: root@nixnew}}\n"
        ),
    ),
    "flow section on lines": (
        "version: 1\nhosts: {\n  hq: {},  # a\n  mac: {}  # b\n}\n",
        (
            "version: 1\nhosts: {\n  hq: {},  # a\n  mac: {},  # b\n"
            "  new: { attribute: nixnew, address: root@nixnew }\n}\n"
        ),
    ),
    "flow section on lines with a last comma": (
        "version: 1\nhosts: {\n  hq: {},\n  mac: {},  # b\n}\n",
        (
            "version: 1\nhosts: {\n  hq: {},\n  mac: {},  # b\n"
            "  new: { attribute: nixnew, address: root@nixnew },\n}\n"
        ),
    ),
    "JSON": (
        '{"version": 1, "people": {}}',
        '{"version": 1, "people": {}, "hosts": {"new": {"x": "y"}}}'.replace(
            '"hosts": {"new": {"x": "y"}}',
            "hosts: {new: {attribute: nixnew, address: root@nixnew}}",
        ),
    ),
    "a byte order mark": (
        "\ufeffversion: 1\nhosts:\n  hq: {}\n",
        "\ufeffversion: 1\nhosts:\n  hq: {}\n  new: { attribute: nixnew, address: root@nixnew }\n",
    ),
    "an end marker": (
        "---\nversion: 1\nhosts:\n  hq: {}\n...\n",
        (
            "---\nversion: 1\nhosts:\n  hq: {}\n"
            "  new: { attribute: nixnew, address: root@nixnew }\n...\n"
        ),
    ),
}


@pytest.mark.parametrize(("before", "after"), HOSTS.values(), ids=HOSTS)
def test_a_host_goes_in_beside_the_others(before: str, after: str) -> None:
    assert add_host(before.encode(), NEW, PLAIN).decode() == after


def test_lines_are_inserted_into_the_model_fleet_and_nothing_else() -> None:
    after = add_host(MODEL, NEW, FULL).decode()
    changed = ndiff(MODEL.decode().splitlines(), after.splitlines())
    assert [line for line in changed if not line.startswith("  ")] == [
        (
            "+   new: { directory: hosts/x/new, host-name: nixnew, anchor: new_host, "
            'address: "root@[::1]", configuration: hosts/x/new/default.nix, '
            "identity: { file: /var/lib/key.txt }, rebuild: { engine: print } }"
        )
    ]


@pytest.mark.parametrize(
    "asked",
    [
        HostSettings(),
        PLAIN,
        FULL,
        HostSettings(identity=IdentitySsh(("/etc/ssh/a", "/b c"))),
        HostSettings(attribute="yes", host_name="1e5", anchor="null", address="7.0"),
        HostSettings(directory=PurePosixPath("-x/#y: z, [é]")),
    ],
    ids=["nothing", "plain", "full", "ssh", "words of YAML", "odd path"],
)
@pytest.mark.parametrize("shape", HOSTS)
def test_what_was_asked_for_is_read_again(asked: HostSettings, shape: str) -> None:
    before = HOSTS[shape][0].encode()
    after = parse_manifest(add_host(before, HostName("123"), asked))
    assert after.hosts[:-1] == parse_manifest(before).hosts
    assert after.hosts[-1].name == "123"
    assert after.hosts[-1].identity == asked.identity
    assert after.hosts[-1].attribute == asked.attribute


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "version: 1\npeople:\n  me: { role: admin }\n",
            "version: 1\npeople:\n  me: { role: admin }\n  you: { role: admin }\n",
        ),
        (
            "version: 1\npeople:\n  me:\n    role: admin\nhosts: {}\n",
            "version: 1\npeople:\n  me:\n    role: admin\n  you:\n    role: admin\nhosts: {}\n",
        ),
        ("version: 1\n", "version: 1\n\npeople:\n  you: { role: admin }\n"),
    ],
    ids=["flow", "block", "missing"],
)
def test_a_person_goes_in_beside_the_others(before: str, after: str) -> None:
    assert add_person(before.encode(), PersonName("you")).decode() == after


_GROUPS = "version: 1\nhosts: { a: {}, new: {} }\ngroups:\n  g: "


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{ hosts: [a] } # x\n", "{ hosts: [a, new] } # x\n"),
        ("{ hosts: [a,] }\n", "{ hosts: [a, new,] }\n"),
        ("{ hosts: [] }\n", "{ hosts: [new] }\n"),
        ("{ hosts: }\n", "{ hosts: [new] }\n"),
        ("{ hosts : null, people: [] }\n", "{ hosts : [new], people: [] }\n"),
        ("\n    hosts :\n    people: []\n", "\n    hosts : [new]\n    people: []\n"),
        ("{ people: [] }\n", "{ people: [], hosts: [new] }\n"),
        ("{}\n", "{ hosts: [new] }\n"),
        ("\n  h: {}\n", "\n    hosts: [new]\n  h: {}\n"),
        ("\n    people: []\n", "\n    people: []\n    hosts: [new]\n"),
        ("\n    hosts:\n    people: []\n", "\n    hosts: [new]\n    people: []\n"),
        ("\n    hosts:\n    - a # x\n", "\n    hosts:\n    - a # x\n    - new\n"),
        ("\n    hosts:\n      -   a\n\n# x", "\n    hosts:\n      -   a\n      -   new\n\n# x"),
        ("\n    hosts: [\n      a\n    ]\n", "\n    hosts: [\n      a,\n      new\n    ]\n"),
    ],
)
def test_a_host_joins_a_group(before: str, after: str) -> None:
    found = add_to_group((_GROUPS + before).encode(), GroupName("g"), NEW)
    assert found.decode() == _GROUPS + after


def test_a_member_of_a_group_joins_it_without_a_change() -> None:
    text = (_GROUPS + "{ hosts: [new] }").encode()
    assert add_to_group(text, GroupName("g"), NEW) == text


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (lambda: add_host(MODEL, HostName("hq"), PLAIN), "the manifest has a host 'hq' already"),
        (
            lambda: add_person(MODEL, PersonName("ops")),
            "the manifest has a person 'ops' already",
        ),
        (
            lambda: add_host(MODEL, NEW, HostSettings(attribute="nixhq")),
            (
                "the manifest would be wrong with `new: { attribute: nixhq }`: "
                "host 'new' and host 'hq' have the same attribute 'nixhq'"
            ),
        ),
        (
            lambda: add_host(MODEL, NEW, HostSettings(address="-x")),
            (
                'the manifest would be wrong with `new: { address: "-x" }`: '
                "'-x' is no address for ssh"
            ),
        ),
        (lambda: add_to_group(MODEL, GroupName("laptop"), NEW), "unknown group 'laptop'"),
        (lambda: add_to_group(MODEL, GroupName("laptops"), NEW), "unknown host 'new'"),
    ],
    ids=["host twice", "person twice", "attribute twice", "address", "no group", "no host"],
)
def test_refuses_an_edit_that_cannot_be(edit: Callable[[], bytes], problem: str) -> None:
    with pytest.raises(RepositoryError) as caught:
        edit()
    assert caught.value.problem == problem
    assert caught.value.line is None


def test_says_what_to_write_where_no_insertion_fits() -> None:
    text = b"version: 1\nhosts:\n  ? hq\n  : { attribute: x }\n"
    with pytest.raises(RepositoryError) as caught:
        add_host(text, NEW, HostSettings())
    assert caught.value.hint == "under `hosts` write `new: {}` by hand"


def test_a_text_that_says_something_else_than_expected_is_never_returned() -> None:
    expected = parse_manifest(b"version: 1\nhosts: { new: {} }\n")
    with pytest.raises(RepositoryError) as caught:
        checked("version: 1\n", expected, ("hosts",), "new: {}")
    assert caught.value.problem == "the manifest is written in a way that takes no edit"


def test_a_fresh_manifest_is_pleasant_to_read() -> None:
    layout = Layout.of(("machines/{host}",), {"shared-document": "secrets/all.yaml"})
    hosts = ((HostName("hq"), HostSettings(attribute="nixhq")), (HostName("mac"), HostSettings()))
    text = render_new(layout, (Person(PersonName("miscguy")),), hosts, Deliver.ALL).decode()
    assert text == (
        "# The fleet: its people, its hosts and the names of its secrets, written by people and"
        " nixsecrets.\n"
        "# It is public: values stand encrypted in the documents, private identities in no file"
        " here.\n"
        "version: 1\n\n"
        'layout:\n  host: "machines/{host}"\n  shared-document: secrets/all.yaml\n\n'
        "people:\n  miscguy: { role: admin }\n\n"
        "hosts:\n  hq: { attribute: nixhq }\n  mac: {}\n\n"
        "wiring:\n  deliver: all\n"
    )
    assert parse_manifest(text.encode()).layout == layout


def test_a_fresh_manifest_leaves_out_what_is_as_usual() -> None:
    text = render_new(Layout(), (), (), Deliver.DECLARED)
    assert text.decode().split("version: 1\n")[1] == "\nwiring:\n  deliver: declared\n"
    assert parse_manifest(text).hosts == ()


_NAMES = st.lists(
    st.text("abn0159._-", min_size=2, max_size=6).filter(lambda name: name[0].isalnum()),
    min_size=1,
    max_size=4,
    unique=True,
)


@settings(max_examples=30)
@given(_NAMES, st.sampled_from(sorted(HOSTS)))
def test_hosts_added_one_by_one_are_all_there(names: list[str], shape: str) -> None:
    content = HOSTS[shape][0].encode()
    known = [host.name for host in parse_manifest(content).hosts]
    for name in names:
        content = add_host(content, HostName(name), HostSettings())
    assert [host.name for host in parse_manifest(content).hosts] == known + names
