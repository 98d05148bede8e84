"""`docs/exit-codes.md` explains each exit status, and no other."""

import re
from pathlib import Path

from nixsecrets.errors import ExitStatus

TEXT = (Path(__file__).parent.parent / "docs" / "exit-codes.md").read_text()


def test_the_table_lists_every_status_by_its_name() -> None:
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \| \S.* \|$", TEXT, re.MULTILINE)
    assert rows == [(str(status.value), status.name) for status in ExitStatus]


def test_every_status_has_a_section_that_says_what_to_do() -> None:
    _, *sections = re.split(r"^## (?=\d)", TEXT, flags=re.MULTILINE)
    assert [int(section.partition(":")[0]) for section in sections] == list(ExitStatus)
    assert all("*Do*: " in section for section in sections[1:])
