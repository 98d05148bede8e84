import re
from pathlib import PurePosixPath

import pytest

from nixsecrets.audit.finding import Finding, Severity
from nixsecrets.change import Change, Plan
from nixsecrets.report.table import Table
from nixsecrets.report.text import render_findings, render_plan, render_table
from tests.report.samples import FINDINGS, MARKER, PLAN, TABLE


def test_a_plan_shows_files_reasons_programs_and_words() -> None:
    assert (
        render_plan(PLAN)
        == """\
add host t15g: 1 new, 1 changed, 1 removed, 1 outside the repository, 1 to run afterwards

  new     keys/hosts/t15g.pub    what t15g is known by
  change  shared/secrets.yaml    re-wrap for hq, + t15g
                                 new data key
  remove  systems/t15g/old.yaml

outside the repository:
  write   /media/t15g/ssh_host_ed25519_key  host identity of t15g (private half, 0600)

afterwards:
  # lock the input sops-nix
  nix --extra-experimental-features 'nix-command flakes' flake lock

warning: t15g has no address, so rebuild runs on t15g only

note: paste into configuration.nix:
  imports = [ ./secrets.nix ];"""
    )


def test_an_empty_plan_says_so() -> None:
    assert render_plan(Plan("rekey")) == "rekey: nothing to do"


def test_a_very_long_path_has_its_reason_below() -> None:
    plan = Plan("x", (PLAN.changes[0], _moved(PLAN, "systems/" + "a" * 60)))
    assert render_plan(plan).splitlines()[2:] == [
        "  new     keys/hosts/t15g.pub  what t15g is known by",
        "  new     systems/" + "a" * 60,
        "                               what t15g is known by",
    ]


def test_findings_stand_errors_first_and_one_repair_is_told_once() -> None:
    assert (
        render_findings(FINDINGS)
        == """\
error   policy/anchor-differs    .sops.yaml:3: anchor t15g is not what its key file says
        fix: nixsecrets add-host t15g
error   recipients/missing       shared/secrets.yaml: host t15g has no stanza
error   recipients/missing       systems/t15g/secrets.yaml: host t15g has no stanza
        fix: nixsecrets rekey
warning declarations/undeclared  shared/secrets.yaml: wifi/psk is not

3 errors, 1 warning"""
    )


def test_no_findings_are_told() -> None:
    assert render_findings([]) == "no errors, no warnings"


def test_a_table_is_aligned() -> None:
    assert (
        render_table(TABLE)
        == """\
2 hosts
HOST  FLAKE ATTRIBUTE  READS
hq    nixhq            shared/secrets.yaml systems/hq/secrets.yaml
vm01                   shared/secrets.yaml systems/vm01/secrets.yaml"""
    )


def test_a_table_keeps_within_the_terminal() -> None:
    assert (
        render_table(TABLE, width=50)
        == """\
2 hosts
HOST  FLAKE ATTRIBUTE  READS
hq    nixhq            shared/secrets.yaml
                       systems/hq/secrets.yaml
vm01                   shared/secrets.yaml
                       systems/vm01/secrets.yaml"""
    )


def test_a_word_is_never_broken_to_keep_within_the_terminal() -> None:
    lines = render_table(TABLE, width=10).splitlines()
    assert max(map(len, lines)) == len("vm01  ATTRIBUTE  systems/vm01/secrets.yaml")


def test_a_table_without_rows_says_what_to_do() -> None:
    assert (
        render_table(Table(("host",), (), empty="no hosts yet: nixsecrets add-host NAME"))
        == "no hosts yet: nixsecrets add-host NAME"
    )


@pytest.mark.parametrize("width", [None, 50, 10])
def test_colour_changes_no_text(width: int | None) -> None:
    def plain(text: str) -> str:
        return re.sub(r"\x1b\[\d+m", "", text)

    colored = [
        render_plan(PLAN, color=True),
        render_findings(FINDINGS, color=True),
        render_table(TABLE, color=True, width=width),
    ]
    assert all("\x1b[" in text for text in colored)
    assert [plain(text) for text in colored] == [
        render_plan(PLAN),
        render_findings(FINDINGS),
        render_table(TABLE, width=width),
    ]


def test_no_content_is_shown() -> None:
    assert MARKER not in render_plan(PLAN)


def test_names_of_the_repository_move_no_cursor() -> None:
    evil = "a\x1b[2J\n\u202e\udc80.yaml"
    shown = r"a\x1b[2J\n\u202e\udc80.yaml"
    finding = Finding("documents/clear", Severity.ERROR, evil, evil, evil)
    assert render_plan(Plan(evil, (_moved(PLAN, evil),))).count(shown) == 2
    assert render_findings([finding]).count(shown) == 3
    assert shown in render_table(Table(("name",), ((evil,),)))


def _moved(plan: Plan, path: str) -> Change:
    return plan.changes[0]._replace(path=PurePosixPath(path))
