import pytest

from nixsecrets.nix.insertion import Addition, NotUnderstood, insert
from nixsecrets.nix.syntax import parse

CONTENT = b'{ imports = [ ./a.nix "b c" ]; } # end'
ADDITION = Addition(("./secrets.nix",), "to the module's `imports`")


def test_text_between_tokens_is_taken() -> None:
    offset = CONTENT.index(b" ]")

    result = insert(parse(CONTENT), offset, " ./secrets.nix", ADDITION)

    assert result == CONTENT.replace(b" ]", b" ./secrets.nix ]")


@pytest.mark.parametrize(
    ("before", "text"),
    [
        pytest.param(b"a.nix", " ./secrets.nix ", id="in a path"),
        pytest.param(b'c"', " ./secrets.nix ", id="in a string"),
        pytest.param(b" end", " ./secrets.nix ", id="in a comment"),
        pytest.param(b" ]", " ./secrets.nix # ", id="what follows becomes a comment"),
        pytest.param(b" ]", " ./secrets.nix /* x */", id="more than its tokens"),
        pytest.param(b" ]", "./secrets.nix ]", id="no Nix"),
    ],
)
def test_text_that_changes_more_than_it_says_is_refused(before: bytes, text: str) -> None:
    with pytest.raises(NotUnderstood) as refused:
        insert(parse(CONTENT), CONTENT.index(before), text, ADDITION)

    assert refused.value.text == "./secrets.nix"
    assert refused.value.line == 1
