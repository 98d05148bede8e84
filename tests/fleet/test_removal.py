import pytest

from nixsecrets.fleet.removal import (
    remove_entry,
    remove_item,
    rename_entry,
    rename_item,
    replace_prefix,
    replace_value,
)

ENTRIES = {
    "a line among others": (
        "hosts:\n  hq: {}  # the desktop\n  mac: {}  # old\n  vm: {}\n",
        "hosts:\n  hq: {}  # the desktop\n  vm: {}\n",
    ),
    "the comment above stays": (
        "hosts:\n  hq: {}\n  # laptops\n  mac: {}\n  vm: {}\n",
        "hosts:\n  hq: {}\n  # laptops\n  vm: {}\n",
    ),
    "lines below it": (
        "hosts:\n  mac:\n    a: b\n    # c: d\n\n  vm:\n    a: b\n",
        "hosts:\n\n  vm:\n    a: b\n",
    ),
    "the last of a section, blank lines between": (
        "hosts:\n  hq:\n    a: b\n\n  mac:\n    a: b\n\ngroups: {}\n",
        "hosts:\n  hq:\n    a: b\n\ngroups: {}\n",
    ),
    "the last of the text, no line end": ("hosts:\n  hq: {}\n  mac: {}", "hosts:\n  hq: {}\n"),
    "the only one": ("hosts: # of ours\n  mac: {}\ngroups: {}\n", "hosts: # of ours\ngroups: {}\n"),
    "CRLF": ("hosts:\r\n  hq: {}\r\n  mac: {}\r\n", "hosts:\r\n  hq: {}\r\n"),
    "a flow, the first": ("hosts: {mac: {a: b}, hq: {}}\n", "hosts: {hq: {}}\n"),
    "a flow, the last": ("hosts: { hq: {}, mac: {} }\n", "hosts: { hq: {} }\n"),
    "a flow, the only one": ("hosts: { mac: {} }  # x\n", "hosts: {}  # x\n"),
    "a flow on lines, the last": (
        "hosts: {\n  hq: {},  # a\n  mac: {}  # b\n}\n",
        "hosts: {\n  hq: {}  # a\n}\n",
    ),
    "a flow on lines, with a last comma": (
        "hosts: {\n  hq: {},\n  mac: {},  # b\n}\n",
        "hosts: {\n  hq: {},\n}\n",
    ),
    "JSON": ('{"hosts": {"hq": {}, "mac": {"a": "b"}}}', '{"hosts": {"hq": {}}}'),
    "a quoted name": ('hosts:\n  hq: {}\n  "mac": {}\n', "hosts:\n  hq: {}\n"),
    "none of that name": ("hosts:\n  hq: {}\n", "hosts:\n  hq: {}\n"),
}


@pytest.mark.parametrize(("before", "after"), ENTRIES.values(), ids=ENTRIES)
def test_an_entry_goes_and_nothing_else(before: str, after: str) -> None:
    assert remove_entry(before, ("hosts", "mac")) == after


ITEMS = {
    "of a flow": ("g: { hosts: [hq, mac, vm] }\n", "g: { hosts: [hq, vm] }\n"),
    "the last of a flow": ("g: { hosts: [hq, mac] }\n", "g: { hosts: [hq] }\n"),
    "the only one of a flow": ("g: { hosts: [mac] } # x\n", "g: { hosts: [] } # x\n"),
    "of a block": ("g:\n  hosts:\n    - hq\n    - mac # x\n", "g:\n  hosts:\n    - hq\n"),
    "the only one of a block": (
        "g:\n  hosts: # x\n    - mac\n  people: []\n",
        "g:\n  hosts: [] # x\n  people: []\n",
    ),
    "of a block without indentation": (
        "g:\n  hosts:\n  - mac\n  - hq\n",
        "g:\n  hosts:\n  - hq\n",
    ),
    "of a flow on lines": (
        "g:\n  hosts: [\n    mac,\n    hq,\n  ]\n",
        "g:\n  hosts: [\n    hq,\n  ]\n",
    ),
}


@pytest.mark.parametrize(("before", "after"), ITEMS.values(), ids=ITEMS)
def test_an_item_goes_and_nothing_else(before: str, after: str) -> None:
    assert remove_item(before, ("g", "hosts"), "mac") == after


def test_names_and_values_are_replaced_in_their_place() -> None:
    text = 'hosts:\n  mac:  { a: "x" } # m\ng: [hq, mac]\ns: { of: "host/mac:a", or: mac }\n'
    text = rename_entry(text, ("hosts", "mac"), "air")
    text = rename_item(text, ("g",), "mac", "air")
    text = replace_value(text, ("hosts", "air", "a"), "on")
    text = replace_prefix(text, ("s",), "host/mac:", "host/air:")
    assert text == (
        'hosts:\n  air:  { a: "on" } # m\ng: [hq, air]\ns: { of: "host/air:a", or: mac }\n'
    )
