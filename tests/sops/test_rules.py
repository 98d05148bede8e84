import json
import subprocess
from pathlib import Path

import pytest
from pyrage import x25519

from nixsecrets.errors import RepositoryError
from nixsecrets.sops.rules import (
    DEFAULT_SELECTION,
    Selection,
    SelectionKind,
    compile_pattern,
    parse_selection,
)
from tests.tools import require_sops


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        pytest.param("b", "abc", True, id="unanchored"),
        pytest.param("^b", "abc", False, id="anchored"),
        pytest.param("c$", "abc\n", False, id="dollar is the very end"),
        pytest.param(r"\d", "٣", False, id="digits are ASCII"),
        pytest.param("(?i)é", "É", True, id="case folding is Unicode"),
        pytest.param(r"^\Qa.b\E$", "a.b", True, id="quoted run"),
        pytest.param("^a.c$", "a\udc80c", True, id="a byte that is not UTF-8 is one character"),
        pytest.param(r"\\C", r"x\C", True, id="escaped backslash before C"),
    ],
)
def test_pattern_searches_as_re2_does(pattern: str, text: str, *, found: bool) -> None:
    assert compile_pattern(pattern).search(text) is found


@pytest.mark.parametrize(
    "pattern", ["(?=a)", r"(a)\1", r"a\Z", "a++", "a{1001}", "(", r"\C", "\udc80"]
)
def test_pattern_that_re2_refuses_is_an_error(
    pattern: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(RepositoryError, match="is not valid"):
        compile_pattern(pattern)

    assert capfd.readouterr() == ("", "")


KEY_PATHS = {
    "plain": ("a", "b"),
    "leaf marked": ("a", "b_x"),
    "parent marked": ("a_x", "b"),
    "mark inside": ("a_x_", "b"),
}


@pytest.mark.parametrize(
    ("kind", "text", "encrypted"),
    [
        pytest.param("unencrypted_suffix", "_x", {"plain", "mark inside"}, id="unencrypted suffix"),
        pytest.param("encrypted_suffix", "_x", {"leaf marked", "parent marked"}, id="suffix"),
        pytest.param("unencrypted_regex", "_x", {"plain"}, id="unencrypted regex"),
        pytest.param("encrypted_regex", "_x$", {"leaf marked", "parent marked"}, id="regex"),
        pytest.param("encrypted_regex", "^b", {*KEY_PATHS}, id="each step is searched alone"),
    ],
)
def test_selection_by_key_path(kind: str, text: str, encrypted: set[str]) -> None:
    selection = parse_selection({kind: text})

    chosen = {name for name, path in KEY_PATHS.items() if selection.encrypts(path, ())}

    assert chosen == encrypted


@pytest.mark.parametrize(
    ("kind", "comments", "encrypted"),
    [
        pytest.param("encrypted_comment_regex", (" secret",), True, id="marked"),
        pytest.param("encrypted_comment_regex", ("secret",), False, id="blank counts"),
        pytest.param("encrypted_comment_regex", (), False, id="no comment"),
        pytest.param("unencrypted_comment_regex", (" note", " secret"), False, id="any of them"),
        pytest.param("unencrypted_comment_regex", (" note",), True, id="none of them"),
    ],
)
def test_selection_by_comments(kind: str, comments: tuple[str, ...], *, encrypted: bool) -> None:
    assert parse_selection({kind: "^ secret"}).encrypts(("secret",), comments) is encrypted


@pytest.mark.parametrize(
    ("fields", "selection"),
    [
        pytest.param({}, DEFAULT_SELECTION, id="none stated"),
        pytest.param({"encrypted_suffix": ""}, DEFAULT_SELECTION, id="empty counts as absent"),
        pytest.param(
            {"encrypted_suffix": "_x", "unencrypted_regex": "", "mac": "m"},
            Selection(SelectionKind.ENCRYPTED_SUFFIX, "_x"),
            id="one stated",
        ),
        pytest.param(
            {"encrypted_suffix": "("},
            Selection(SelectionKind.ENCRYPTED_SUFFIX, "("),
            id="a suffix is no expression",
        ),
    ],
)
def test_selection_is_read_from_fields(fields: dict[str, str], selection: Selection) -> None:
    assert parse_selection(fields) == selection


def test_two_selections_exclude_each_other() -> None:
    with pytest.raises(
        RepositoryError, match=r"^unencrypted_suffix and encrypted_regex exclude each other$"
    ):
        parse_selection({"encrypted_regex": "a", "unencrypted_suffix": "_b"})


def test_invalid_regex_is_refused_and_not_ignored() -> None:
    with pytest.raises(RepositoryError, match="invalid perl operator"):
        parse_selection({"encrypted_regex": "(?=a)"})


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("unencrypted_suffix", "_x"),
        ("encrypted_suffix", "_x"),
        ("unencrypted_regex", "^b"),
        ("encrypted_regex", "(?i)A_X$"),
    ],
)
def test_the_real_sops_chooses_the_same_leaves(tmp_path: Path, kind: str, text: str) -> None:
    leaves = [("a", "b"), ("a", "b_x"), ("a_x", "b"), ("a_x", "c"), ("c", "a"), ("_x", "_x_")]
    document: dict[str, dict[str, str]] = {}
    for outer, inner in leaves:
        document.setdefault(outer, {})[inner] = "value"
    plain = tmp_path / "plain.json"
    plain.write_text(json.dumps(document))
    recipient = str(x25519.Identity.generate().to_public())
    option = f"--{kind.replace('_', '-')}"

    sealed = subprocess.run(
        [require_sops(), "encrypt", "--age", recipient, option, text, plain],
        check=True,
        capture_output=True,
        cwd=tmp_path,
    )

    sops_chose = {
        (outer, inner)
        for outer, inner in leaves
        if json.loads(sealed.stdout)[outer][inner].startswith("ENC[")
    }
    assert {path for path in leaves if parse_selection({kind: text}).encrypts(path, ())} == (
        sops_chose
    )
