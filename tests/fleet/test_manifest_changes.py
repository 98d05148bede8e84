"""Hosts, people and groups that leave, change or get another name in the manifest."""

from collections.abc import Callable
from difflib import ndiff

import pytest

from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.manifest_groups import (
    Members,
    add_group,
    join_group,
    leave_group,
    remove_group,
)
from nixsecrets.fleet.manifest_removal import remove_host, remove_person
from nixsecrets.fleet.manifest_renaming import rename_host
from nixsecrets.fleet.model import HostSettings
from nixsecrets.fleet.names import GroupName, HostName, PersonName

TEXT = """\
version: 1

people:
  ann: {}  # all of it
  ops: { role: member }

hosts:
  # the house
  hq:   { attribute: nixhq }
  t460: { attribute: t460 }  # old
  t15g:
    attribute: nixt15g  # new

groups:
  laptops: { hosts: [t460, t15g] }
  # what runs always
  servers:
    hosts:
      - hq
    people: [ops]

secrets:
  hosts:
    t460:
      a/b:
    t15g: { c/d: {} }
  each:
    laptops:
      restic/password:
  home:
    ann:
      e/f: { hosts: [t460] }
      g/h: { hosts: [t460, t15g] }
"""

HQ, T460, T15G = HostName("hq"), HostName("t460"), HostName("t15g")
ANN, OPS = PersonName("ann"), PersonName("ops")
LAPTOPS, SERVERS, NEW = GroupName("laptops"), GroupName("servers"), GroupName("new")

EDITS: dict[str, tuple[Callable[[bytes], bytes], list[str]]] = {
    "a host goes with all that names it": (
        lambda text: remove_host(text, T460),
        [
            "-   t460: { attribute: t460 }  # old",
            "-   laptops: { hosts: [t460, t15g] }",
            "+   laptops: { hosts: [t15g] }",
            "-     t460:",
            "-       a/b:",
            "-       e/f: { hosts: [t460] }",
            "-       g/h: { hosts: [t460, t15g] }",
            "+       g/h: { hosts: [t15g] }",
        ],
    ),
    "a group's only host goes": (
        lambda text: remove_host(text, HQ),
        [
            "-   hq:   { attribute: nixhq }",
            "-     hosts:",
            "-       - hq",
            "+     hosts: []",
        ],
    ),
    "a person goes": (
        lambda text: remove_person(text, OPS),
        ["-   ops: { role: member }", "-     people: [ops]", "+     people: []"],
    ),
    "a host is renamed where it is named": (
        lambda text: rename_host(text, T460, HostName("x1"), HostSettings(host_name="t460")),
        [
            "-   t460: { attribute: t460 }  # old",
            "+   x1: { attribute: t460, host-name: t460 }  # old",
            "-   laptops: { hosts: [t460, t15g] }",
            "+   laptops: { hosts: [x1, t15g] }",
            "-     t460:",
            "+     x1:",
            "-       e/f: { hosts: [t460] }",
            "+       e/f: { hosts: [x1] }",
            "-       g/h: { hosts: [t460, t15g] }",
            "+       g/h: { hosts: [x1, t15g] }",
        ],
    ),
    "a renamed host says another attribute": (
        lambda text: rename_host(text, T15G, HostName("x1"), HostSettings(attribute="nixx1")),
        [
            "-   t15g:",
            "-     attribute: nixt15g  # new",
            "+   x1:",
            "+     attribute: nixx1  # new",
            "-   laptops: { hosts: [t460, t15g] }",
            "+   laptops: { hosts: [t460, x1] }",
            "-     t15g: { c/d: {} }",
            "+     x1: { c/d: {} }",
            "-       g/h: { hosts: [t460, t15g] }",
            "+       g/h: { hosts: [t460, x1] }",
        ],
    ),
    "a group is made": (
        lambda text: add_group(text, NEW, Members((HQ, T460), (OPS,))),
        ["+   new:", "+     hosts: [hq, t460]", "+     people: [ops]"],
    ),
    "an empty group is made": (lambda text: add_group(text, NEW, Members()), ["+   new: {}"]),
    "members join": (
        lambda text: join_group(text, LAPTOPS, Members((HQ, T460), (OPS,))),
        [
            "-   laptops: { hosts: [t460, t15g] }",
            "+   laptops: { hosts: [t460, t15g, hq], people: [ops] }",
        ],
    ),
    "members leave": (
        lambda text: leave_group(text, SERVERS, Members((HQ,), (OPS,))),
        [
            "-     hosts:",
            "-       - hq",
            "-     people: [ops]",
            "+     hosts: []",
            "+     people: []",
        ],
    ),
    "a group goes with what is declared for it": (
        lambda text: remove_group(text, LAPTOPS),
        [
            "-   laptops: { hosts: [t460, t15g] }",
            "-     laptops:",
            "-       restic/password:",
        ],
    ),
}


def difference(before: str, after: str) -> list[str]:
    lines = ndiff(before.splitlines(), after.splitlines())
    return sorted(line for line in lines if line[0] in "+-")


@pytest.mark.parametrize(("edit", "wanted"), EDITS.values(), ids=EDITS)
def test_only_what_is_meant_changes(edit: Callable[[bytes], bytes], wanted: list[str]) -> None:
    assert difference(TEXT, edit(TEXT.encode()).decode()) == sorted(wanted)


REFUSED: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "an unknown host": (lambda text: remove_host(text, HostName("x")), "unknown host 'x'"),
    "an unknown person": (lambda text: remove_person(text, PersonName("x")), "unknown person 'x'"),
    "a name that is taken": (
        lambda text: rename_host(text, HQ, T460, HostSettings()),
        "the manifest has a host 't460' already",
    ),
    "a group that is there": (
        lambda text: add_group(text, LAPTOPS, Members()),
        "the manifest has a group 'laptops' already",
    ),
    "an unknown member": (
        lambda text: add_group(text, NEW, Members((HostName("x"),))),
        "unknown host 'x'",
    ),
    "one who is no member": (
        lambda text: leave_group(text, LAPTOPS, Members((HQ,))),
        "hq is not in the group laptops",
    ),
}


@pytest.mark.parametrize(("edit", "problem"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_refused(edit: Callable[[bytes], bytes], problem: str) -> None:
    with pytest.raises(RepositoryError) as caught:
        edit(TEXT.encode())
    assert caught.value.problem == problem
