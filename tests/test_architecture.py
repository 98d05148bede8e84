"""The doors and habits of the house, held against the package; and the checks against defects."""

from pathlib import Path

import pytest

import nixsecrets
from tests import house

PACKAGE = Path(nixsecrets.__file__).parent
CHECKS = (
    house.doors,
    house.lazy_imports,
    house.machine,
    house.programs,
    house.writes,
    house.click_is_cli,
    house.talk,
    house.sizes,
    house.names,
    house.habits,
)


def violations(package: Path, check: house.Check) -> list[str]:
    return [words for module in house.read_package(package) for words in check(module)]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_package_keeps_the_rules_of_the_house(check: house.Check) -> None:
    assert violations(PACKAGE, check) == []


def _long_function(lines: int) -> str:
    return "def long():\n" + "    x = 1\n" * (lines - 1)


@pytest.mark.parametrize(
    ("check", "path", "source", "found"),
    [
        pytest.param(check, path, source, found, id=f"{check.__name__}: {source.strip()[:60]}")
        for check, path, source, found in (
            (house.doors, "age/x.py", "import nixsecrets.sops.tree", "age may not import sops"),
            (house.doors, "age/x.py", "from nixsecrets import fleet", "age may not import fleet"),
            (house.doors, "sops/x.py", "def f():\n from nixsecrets.fleet import x", "import fleet"),
            (house.doors, "plans/x.py", "from nixsecrets.audit import finding", "import audit"),
            (house.doors, "report/x.py", "from nixsecrets.fleet import model", "import fleet"),
            (house.doors, "cli/x.py", "from nixsecrets.nix import edit", "cli may not import nix"),
            (house.doors, "errors.py", "import nixsecrets", "import the whole package"),
            (house.doors, "nix/x.py", "from . import syntax", "relative import"),
            (house.doors, "cellar/x.py", "", "cellar is no room"),
            (house.lazy_imports, "plans/x.py", "def f():\n import json", "below the top"),
            (
                house.lazy_imports,
                "cli/get.py",
                "import importlib\nimportlib.import_module('x')",
                "import_module outside",
            ),
            (house.machine, "plans/x.py", "open('x')", "open touches"),
            (house.machine, "plans/x.py", "import os\nos.environ.get('X')", "os.environ touches"),
            (house.machine, "plans/x.py", "from os import environ as e\ne['X']", "os.environ"),
            (house.machine, "fleet/x.py", "def f(p):\n return p.read_text()", ".read_text()"),
            (house.machine, "fleet/x.py", "def f(p):\n return p.exists()", ".exists()"),
            (house.machine, "fleet/x.py", "def f(p):\n return p.open('rb')", ".open()"),
            (house.machine, "cli/x.py", "from datetime import datetime\ndatetime.now()", "now"),
            (house.machine, "cli/x.py", "import datetime as d\nd.datetime.now()", "now"),
            (house.machine, "cli/x.py", "import time", "time touches"),
            (house.machine, "cli/__init__.py", "import os\nos.getcwd()", "os.getcwd"),
            (house.programs, "system/git.py", "import subprocess", "subprocess starts"),
            (house.programs, "cli/x.py", "from subprocess import run", "subprocess.run starts"),
            (house.programs, "system/ssh.py", "import os\nos.posix_spawn", "os.posix_spawn"),
            (
                house.programs,
                "system/x.py",
                "import concurrent.futures as f\nf.ProcessPoolExecutor()",
                "ProcessPoolExecutor starts",
            ),
            (house.programs, "system/ssh.py", "from os import execvp\nexecvp()", "os.execvp"),
            (house.writes, "system/git.py", "open('x', 'w')", "open() writes"),
            (house.writes, "system/git.py", "open('x', mode='ab')", "open() writes"),
            (house.writes, "cli/app.py", "def f(p):\n p.write_text('x')", ".write_text() writes"),
            (house.writes, "cli/app.py", "def f(p):\n p.open('r+')", ".open() writes"),
            (house.writes, "system/x.py", "def f(p, q):\n p.replace(q)", ".replace() writes"),
            (house.writes, "system/x.py", "import os\nos.O_CREAT", "os.O_CREAT writes"),
            (house.writes, "system/x.py", "import tempfile", "tempfile writes"),
            (house.writes, "cli/x.py", "from nixsecrets.system import disk", "the transaction's"),
            (house.click_is_cli, "report/x.py", "import click", "only cli knows Click"),
            (house.click_is_cli, "system/x.py", "from click.utils import echo", "only cli"),
            (house.talk, "plans/x.py", "print('x')", "print outside"),
            (house.talk, "system/x.py", "import sys\nsys.exit(1)", "sys.exit outside"),
            (house.talk, "report/x.py", "raise SystemExit", "SystemExit outside"),
            (house.talk, "report/x.py", "import sys\nsys.stdout.write('x')", "sys.stdout outside"),
            (house.sizes, "age/x.py", "x = 1\n" * 301, "301 code lines"),
            (house.sizes, "age/x.py", _long_function(51), "long: 51 lines"),
            (house.names, "fleet/utils.py", "", "utils is no noun"),
            (house.names, "common/x.py", "", "common is no noun"),
            (house.habits, "age/x.py", "from typing import Any\nx: Any", "typing.Any"),
            (house.habits, "age/x.py", "import typing as t\nt.cast", "typing.cast"),
            (house.habits, "age/x.py", "try:\n x()\nexcept Exception:\n y()", "catches Exception"),
            (house.habits, "age/x.py", "try:\n x()\nexcept:\n y()", "catches everything"),
            (house.habits, "age/x.py", "try:\n x()\nexcept KeyError:\n pass", "pass in except"),
            (house.habits, "system/x.py", "run('x', shell=True)", "shell="),
            (house.habits, "age/x.py", "x = 1  # noqa", "silenced"),
            (house.habits, "age/x.py", "x = 1  # noqa: E501", "silenced"),
            (house.habits, "age/x.py", "x = 1  # type: ignore", "silenced"),
        )
    ],
)
def test_a_planted_defect_is_found(
    tmp_path: Path, check: house.Check, path: str, source: str, found: str
) -> None:
    _plant(tmp_path, path, source)
    (words,) = violations(tmp_path, check)
    assert words.startswith(f"{path}:")
    assert found in words


@pytest.mark.parametrize(
    ("path", "source"),
    [
        pytest.param(path, source, id=source.strip()[:60])
        for path, source in (
            ("system/x.py", "import os\nos.environ, os.open('x', os.O_RDONLY)"),
            ("system/process.py", "import os, subprocess\nsubprocess.run, os.fork()"),
            ("system/transaction.py", "def f(p):\n p.unlink()\n open(p, 'wb')"),
            ("system/disk.py", "from concurrent.futures import ThreadPoolExecutor as T\nT()"),
            ("fleet/load.py", "def f(p):\n return p.read_bytes()"),
            ("cli/app.py", "from datetime import UTC, datetime\ndatetime.now(UTC)"),
            ("cli/__init__.py", "from importlib import import_module\nimport_module('x')"),
            ("cli/x.py", "import sys\nimport click\nsys.exit(0)"),
            ("sops/document.py", "def open(x):\n return x\nopen(1)"),
            ("plans/x.py", "from nixsecrets.sops import document\ndocument.open(1, 2)"),
            ("plans/x.py", "from nixsecrets.override import override"),
            ("plans/x.py", "from os import urandom\nurandom(32)"),
            ("age/x.py", "from dataclasses import replace\nreplace(1, x=2)\n'a'.replace('a', 'b')"),
            ("nix/x.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n import json"),
            ("nix/x.py", "from importlib.resources import files\nfiles('x').read_text()"),
            ("age/x.py", '"""' + "\n" * 400 + '"""\n' + "# words\n" * 400),
            ("age/x.py", _long_function(50)),
            ("system/x.py", "try:\n x()\nexcept BaseException:\n y()\n raise"),
            ("age/x.py", "x = 1  # noqa: E501  # a table of the RFC"),
            ("age/x.py", "x = 1  # type: ignore[misc]  # the stubs are wrong"),
        )
    ],
)
def test_what_the_house_allows_is_not_found(tmp_path: Path, path: str, source: str) -> None:
    _plant(tmp_path, path, source)
    assert [words for check in CHECKS for words in violations(tmp_path, check)] == []


def _plant(package: Path, path: str, source: str) -> None:
    file = package / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(source)
