"""Setting one value changes its own lines, `mac` and `lastmodified`, and not one byte more."""

import re
from collections.abc import Callable
from difflib import SequenceMatcher

import pytest

from tests.cli.scenes import Scene
from tests.tools import require_sops

DOCUMENT = "systems/hq/secrets.yaml"
NAME = "host/hq:nextcloud/admin-password"
LINES = {"admin-password", "mac"}
STAMP = {"lastmodified"}  # it stays within one second


def odd_indentation(text: str) -> str:
    return text.replace("\n    admin-password", "\n      admin-password").replace(
        "\n    password", "\n password"
    )


def comments(text: str) -> str:
    text = re.sub(r"(admin-password: .*)", r"# the web administrator\n    \1   # asked for", text)
    return f"# of hq\n\n{text}\n\n# the end\n".replace("\nrestic:", "\n\n\nrestic:  # backups\n")


def quotes(text: str) -> str:
    return (
        text.replace("nextcloud:", '"nextcloud":')
        .replace("admin-password: ENC", "'admin-password': 'ENC")
        .replace("type:str]\nrestic", "type:str]'\nrestic")
    )


def metadata_first(text: str) -> str:
    values, _, metadata = text.partition("sops:\n")
    return f"sops:\n{metadata}{values}"


LAYOUTS: dict[str, Callable[[str], str]] = {
    "as it was made": lambda text: text,
    "odd indentation": odd_indentation,
    "comments and blank lines": comments,
    "quotes": quotes,
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "no newline at the end": lambda text: text.rstrip("\n"),
    "metadata first": metadata_first,
}


def key_of(line: bytes) -> str:
    return line.decode().partition(":")[0].strip().strip("\"'")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_setting_one_value_leaves_every_other_byte(fleet: Scene, layout: str) -> None:
    file = fleet.root / DOCUMENT
    file.write_bytes(LAYOUTS[layout](file.read_text()).encode())
    before = file.read_bytes().splitlines(keepends=True)
    fleet.done("set", NAME, "--yes", stdin=b"another one")
    after = file.read_bytes().splitlines(keepends=True)
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    changed = [change for change in matcher.get_opcodes() if change[0] != "equal"]
    keys = {key_of(line) for _, start, end, _, _ in changed for line in before[start:end]}
    assert {kind for kind, *_ in changed} == {"replace"}
    assert (keys - STAMP, len(before)) == (LINES, len(after))
    assert fleet.done("get", NAME) == "another one"
    assert fleet.done("get", "host/hq:restic/password") == "of hq"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_real_sops_reads_it_then(fleet: Scene, layout: str) -> None:
    file = fleet.root / DOCUMENT
    file.write_bytes(LAYOUTS[layout](file.read_text()).encode())
    fleet.done("set", NAME, "--yes", stdin=b"another one")
    extract = '["nextcloud"]["admin-password"]'
    ended = fleet.start(require_sops(), "decrypt", "--extract", extract, DOCUMENT)
    assert (ended.status, ended.text) == (0, "another one"), ended


def test_what_the_real_sops_wrote_is_changed_as_little(fleet: Scene) -> None:
    ended = fleet.start(require_sops(), "set", DOCUMENT, '["tree"]', '{"a": 1, "b": true}')
    assert ended.status == 0, ended
    before = (fleet.root / DOCUMENT).read_bytes().splitlines()
    fleet.done("set", NAME, "--yes", stdin=b"another one")
    after = (fleet.root / DOCUMENT).read_bytes().splitlines()
    changed = {key_of(one) for one, other in zip(before, after, strict=True) if one != other}
    assert changed - STAMP == LINES


def test_a_value_of_several_lines_changes_its_lines_alone(fleet: Scene) -> None:
    fleet.done("set", "host/hq:a/key", "--raw", "--yes", stdin=b"one\ntwo\n")
    before = fleet.read(DOCUMENT).splitlines()
    fleet.done("set", "host/hq:a/key", "--yes", stdin=b"three")
    after = fleet.read(DOCUMENT).splitlines()
    changed = {key_of(a.encode()) for a, b in zip(before, after, strict=True) if a != b}
    assert changed - STAMP == {"key", "mac"}
