import hashlib

import pytest

from nixsecrets.nix.syntax import NixSyntaxError, digest, parse, tokens
from tests.nix.real import assert_parses

MODULE = b"""# what made it
{ config, lib, ... }:
{
  sops.secrets = {
    "a/b" = {
      restartUnits = [
        "x.service"
        "y.service"
      ];
    };
  };
}
"""

REFORMATTED = b"""{
  config,
  lib,
  ...
}: {
\tsops . secrets={"a/b" = { /* why */ restartUnits = ["x.service" "y.service"]; };};}"""


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"{ a, b, }: a", id="comma after the last argument"),
        pytest.param(b"{\n  a,\n  b, # why\n  /* , } */\n}@c: a", id="comma, then comments"),
        pytest.param(b"{ a, b, }: { c, }: ''\n  a, }\n''", id="several, and one in a string"),
        pytest.param(b"{ a ? { b, }: b, }: a", id="comma of a nested function"),
    ],
)
def test_commas_that_the_grammar_does_not_know_are_understood(content: bytes) -> None:
    assert_parses(content)

    source = parse(content)

    assert source.text(source.root) == content.decode()


def test_pipes_bind_more_loosely_than_everything_else() -> None:
    source = parse(b"[ 1 ] ++ [ 2 ] |> map f |> g")

    left = source.root.child_by_field_name("left")

    assert left is not None
    assert source.text(left) == "[ 1 ] ++ [ 2 ]"


@pytest.mark.parametrize(
    ("content", "line", "column"),
    [
        pytest.param(b"", 1, 1, id="empty"),
        pytest.param(b"# nothing\n", 1, 1, id="only a comment"),
        pytest.param('{\n  a = "ä"; b = = 2;\n}\n'.encode(), 2, 16, id="counts characters"),
        pytest.param(b"{ a = [ 1 2; }", 1, 12, id="open list"),
        pytest.param(b"((((((" * 5000, 1, 1, id="deep"),
    ],
)
def test_what_is_no_nix_is_refused_with_its_place(content: bytes, line: int, column: int) -> None:
    with pytest.raises(NixSyntaxError) as refused:
        parse(content)

    assert (refused.value.line, refused.value.column) == (line, column)


def test_tokens_leave_out_blanks_and_comments_but_not_those_in_strings() -> None:
    content = b"""{ a = "x  # y"; /* z */ b = ./c.nix; } # d"""

    assert tokens(content) == (
        *(b"{", b"a", b"=", b'"', b"x  # y", b'"', b";"),
        *(b"b", b"=", b"./c.nix", b";", b"}"),
    )


def test_digest_is_the_same_after_a_formatter() -> None:
    assert digest(REFORMATTED) == digest(MODULE)
    assert digest(b"{ a, b, }: a") == digest(b"{ a, b }: a")


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(MODULE.replace(b"x.service", b"z.service"), id="a value"),
        pytest.param(MODULE.replace(b'"x.service"', b'"x .service"'), id="a blank in a string"),
        pytest.param(MODULE.replace(b"lib, ", b""), id="an argument"),
        pytest.param(MODULE.replace(b'"x.service"\n', b'("x.service")\n'), id="parentheses"),
    ],
)
def test_digest_differs_where_the_meaning_may(other: bytes) -> None:
    assert digest(other) != digest(MODULE)


def test_digest_is_over_tokens_each_with_its_length() -> None:
    assert digest(b"[ a bc ]") == hashlib.sha256(b"1:[1:a2:bc1:]").hexdigest()
    assert digest(b"[ a bc ]") != digest(b"[ ab c ]")
