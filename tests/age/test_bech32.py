import pytest
from hypothesis import given
from hypothesis import strategies as st

from nixsecrets.age import bech32
from nixsecrets.errors import RepositoryError


@pytest.mark.parametrize(
    "text",
    [
        "A12UEL5L",
        "a12uel5l",
        "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs",
        "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw",
        "split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w",
        "?1ezyfcl",
    ],
)
def test_valid_strings_of_bip_173_are_read(text: str) -> None:
    prefix, data = bech32.decode(text)
    assert bech32.encode(prefix, data) == text.lower()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("\x201nwldj5", "it has no prefix", id="prefix with a blank"),
        pytest.param("\x7f1axkwrx", "it has no prefix", id="prefix with a control character"),
        pytest.param("\x801eym55h", "it has no prefix", id="prefix outside ASCII"),
        pytest.param("pzry9x0s0muk", "it has no prefix", id="no separator"),
        pytest.param("1pzry9x0s0muk", "it has no prefix", id="empty prefix"),
        pytest.param("10a06t8", "it has no prefix", id="empty prefix, empty data"),
        pytest.param("x1b4n0q5v", "it holds a character that bech32 does not know", id="b"),
        pytest.param("de1lg7wt\xff", "it holds a character that bech32 does not know", id="\\xff"),
        pytest.param("li1dgmt3", "it is too short to hold a checksum", id="short checksum"),
        pytest.param(
            "A1G7SGD8",
            "its checksum does not hold (a character is wrong or missing)",
            id="checksum of the upper-case prefix",
        ),
        pytest.param("a12UEL5L", "it mixes upper and lower case", id="mixed case"),
    ],
)
def test_invalid_strings_are_refused_without_quoting_them(text: str, problem: str) -> None:
    with pytest.raises(RepositoryError) as caught:
        bech32.decode(text)
    assert str(caught.value) == problem


@pytest.mark.parametrize(
    "digits",
    [
        pytest.param([0] * 6 + [1], id="not zero"),  # four bytes, then 001
        pytest.param([0] * 9, id="five bits"),  # five bytes, then 00000
    ],
)
def test_padding_other_than_a_few_zero_bits_is_refused(digits: list[int]) -> None:
    checksum = bech32._polymod([*bech32._expand("a"), *digits, 0, 0, 0, 0, 0, 0]) ^ 1
    digits = [*digits, *(checksum >> 5 * (5 - place) & 31 for place in range(6))]
    text = "a1" + bytes(bech32._ALPHABET[digit] for digit in digits).decode()
    with pytest.raises(RepositoryError, match="bits that belong to nothing"):
        bech32.decode(text)


@given(st.text("abz-", min_size=1), st.binary(max_size=200))
def test_data_of_any_length_comes_back(prefix: str, data: bytes) -> None:
    assert bech32.decode(bech32.encode(prefix, data)) == (prefix, data)
    assert bech32.decode(bech32.encode(prefix, data).upper()) == (prefix, data)


@given(st.binary(min_size=1, max_size=40), st.data())
def test_one_wrong_character_is_noticed(data: bytes, draw: st.DataObject) -> None:
    text = bech32.encode("age", data)
    place = draw.draw(st.integers(len("age1"), len(text) - 1))
    wrong = draw.draw(st.sampled_from([c for c in bech32._ALPHABET.decode() if c != text[place]]))
    with pytest.raises(RepositoryError, match="its checksum does not hold"):
        bech32.decode(text[:place] + wrong + text[place + 1 :])
