"""`docs/format.md` tells the truth: its examples, run against our code and the real sops."""

import json
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256, sha512
from itertools import combinations
from pathlib import Path, PurePosixPath

import pytest

from nixsecrets.age.identity import Identity, parse_identities
from nixsecrets.errors import IntegrityError, NixsecretsError, RepositoryError
from nixsecrets.fleet.policy_reading import parse_policy
from nixsecrets.plaintext import Plaintext
from nixsecrets.sops import mac, shamir
from nixsecrets.sops.changing import set_value
from nixsecrets.sops.cipher import Cipher, path_aad
from nixsecrets.sops.document import (
    OpenDocument,
    open_data_key,
    open_document,
    parse,
    plain_text,
)
from nixsecrets.sops.metadata import VERSION
from nixsecrets.sops.rules import compile_pattern, items_with_rule, parse_selection
from nixsecrets.sops.scalars import canonical
from nixsecrets.sops.sealing import Terms, seal
from nixsecrets.sops.stores import yaml
from nixsecrets.sops.stores.formats import Format
from nixsecrets.sops.stores.yaml_scalars import resolve_plain
from nixsecrets.sops.stores.yaml_spelling import spell
from nixsecrets.sops.tree import Comment, KeyPath, Leaf, LeafType, keys_of
from tests.tools import require_sops

PAGE = (Path(__file__).parent.parent / "docs" / "format.md").read_text()
BLOCKS = dict(re.findall(r"^```\w+ example=(\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
NOW = datetime(2024, 5, 7, tzinfo=UTC)


def table(name: str) -> tuple[tuple[str, ...], ...]:
    """Return the rows of a table of the page, the head first, cells without their backquotes."""
    marked = re.search(rf"^<!-- example={name} -->\n\n((?:\|.*\|\n)+)", PAGE, re.MULTILINE)
    assert marked is not None
    head, _line, *rows = marked[1].splitlines()
    return tuple(
        tuple(cell.strip().strip("`") for cell in row[1:-1].split("|")) for row in (head, *rows)
    )


def rows(name: str) -> list[object]:
    return [pytest.param(*row, id=row[0] or "(nothing)") for row in table(name)[1:]]


def columns(name: str) -> list[object]:
    """Return a truth table cell by cell: kind, text, column's head, cell."""
    head, *lines = table(name)
    return [
        pytest.param(kind, text, column, cell, id=f"{kind}={text}:{column}")
        for kind, text, *cells in lines
        for column, cell in zip(head[2:], cells, strict=True)
    ]


def mutations(name: str) -> list[object]:
    return [
        pytest.param(one["find"], one["with"], id=f"{one.get('row') or one['what']}:{one['find']}")
        for one in json.loads(BLOCKS[name])
    ]


def identities() -> tuple[Identity, ...]:
    found = parse_identities(Plaintext(BLOCKS["identity"].encode()), "docs/format.md")
    assert not found.refused
    return found.identities


def opened(text: str) -> OpenDocument:
    document = parse(text.encode())
    return open_document(document, open_data_key(document, identities()))


def sops(folder: Path, action: str, text: str, file_format: str = "yaml") -> bytes | None:
    """Return what sops writes; None: it refuses the document."""
    for name, content in (("document", text), ("identity", BLOCKS["identity"])):
        (folder / name).write_text(content)
    types = ["--input-type", file_format, "--output-type", file_format]
    age = ["--age", identities()[0].recipient.text] if action == "encrypt" else []
    done = subprocess.run(
        [require_sops(), action, *age, *types, "document"],
        cwd=folder,
        env={"SOPS_AGE_KEY_FILE": "identity", "HOME": str(folder)},
        capture_output=True,
        check=False,
    )
    return done.stdout if not done.returncode else None


def mutated(find: str, replacement: str, text: str = BLOCKS["sealed.yaml"]) -> str:
    changed = re.sub(find, replacement, text, count=1, flags=re.MULTILINE)
    assert changed != text
    return changed


def selected(selection: tuple[str, str], text: str) -> Iterator[tuple[str, bool]]:
    rule = parse_selection(dict([selection]))
    for item, encrypted in items_with_rule(yaml.parse(text.encode()).tree, rule):
        if isinstance(item, Leaf):
            yield "/".join(keys_of(item.path)), encrypted


def test_the_document_opens_and_shows_the_plaintext_beside_it(tmp_path: Path) -> None:
    document = opened(BLOCKS["sealed.yaml"])
    assert document.data_key == Plaintext(bytes(range(32)))
    assert plain_text(document) == Plaintext(BLOCKS["plain.yaml"].encode())
    assert sops(tmp_path, "decrypt", BLOCKS["sealed.yaml"]) == BLOCKS["plain.yaml"].encode()


@pytest.mark.parametrize("file_format", ["dotenv", "ini"])
def test_sops_opens_the_line_formats(tmp_path: Path, file_format: str) -> None:
    clear = sops(tmp_path, "decrypt", BLOCKS[f"sealed.{file_format}"], file_format)
    assert clear is not None
    assert clear.rstrip() == BLOCKS[f"plain.{file_format}"].rstrip().encode()


@pytest.mark.parametrize("form", [Format.JSON, Format.DOTENV, Format.INI, Format.BINARY])
def test_we_open_the_documents_of_other_formats_as_sops_does(tmp_path: Path, form: Format) -> None:
    content = BLOCKS[f"sealed.{form.value}"].encode()
    sealed = parse(content, form)
    clear = plain_text(open_document(sealed, open_data_key(sealed, identities()))).reveal()
    theirs = sops(tmp_path, "decrypt", content.decode(), form.value)
    match form:
        case Format.JSON:
            assert json.loads(clear) == json.loads(theirs or b"")
        case _:
            assert clear == theirs


def test_sops_opens_the_json_document(tmp_path: Path) -> None:
    clear = sops(tmp_path, "decrypt", BLOCKS["sealed.json"], "json")
    assert clear is not None
    assert json.loads(clear) == json.loads(BLOCKS["plain.json"])


def test_sops_opens_the_binary_document(tmp_path: Path) -> None:
    assert sops(tmp_path, "decrypt", BLOCKS["sealed.binary"], "binary") == b"hello\n\x00\xff"


def test_the_leaf_in_hexadecimal_is_sealed_to_its_spelling() -> None:
    one = json.loads(BLOCKS["leaf"])
    cipher = Cipher(Plaintext(bytes.fromhex(one["data_key"])))
    plaintext, iv = Plaintext(bytes.fromhex(one["plaintext"])), bytes.fromhex(one["iv"])
    assert cipher._seal(plaintext, one["type"], one["aad"].encode(), iv) == one["leaf"]
    assert cipher.open(one["leaf"], one["aad"].encode()) == (one["type"], plaintext)
    assert one["leaf"] in BLOCKS["sealed.yaml"]


@pytest.mark.parametrize(("path", "aad"), rows("aad"))
def test_a_key_path_gives_the_additional_data(path: str, aad: str) -> None:
    key_path: KeyPath = tuple(json.loads(path))
    assert path_aad(keys_of(key_path)) == aad.encode()


@pytest.mark.parametrize(("path", "aad", "kind", "plaintext"), rows("leaves"))
def test_a_leaf_of_the_document_is_what_the_table_says(
    path: str, aad: str, kind: str, plaintext: str
) -> None:
    document = opened(BLOCKS["sealed.yaml"])
    found = document.find(tuple(json.loads(path)))
    assert found is not None
    assert found.kind is LeafType(kind)
    assert found.value == Plaintext(plaintext.encode())
    cipher = Cipher(document.data_key)
    assert isinstance(found.item, Leaf)
    assert cipher.open(found.item.content.decode(), aad.encode())[0] == kind


def test_the_table_of_leaves_leaves_none_out_and_comments_have_their_containers() -> None:
    sealed = [one for one in opened(BLOCKS["sealed.yaml"]).items if one.encrypted]
    leaves = [list(one.item.path) for one in sealed if isinstance(one.item, Leaf)]
    assert leaves == [json.loads(row[0]) for row in table("leaves")[1:]]
    comments = [(one.value, one.container) for one in sealed if isinstance(one.item, Comment)]
    assert comments == [
        (Plaintext(b" who answers the phone"), ()),
        (Plaintext(b" the big one"), ("servers",)),
    ]


@pytest.mark.parametrize(("kind", "text", "expected"), rows("canonical"))
def test_a_value_has_the_canonical_bytes(kind: str, text: str, expected: str) -> None:
    if expected == "refused":
        with pytest.raises(NixsecretsError):
            canonical(LeafType(kind), text.encode())
    else:
        assert canonical(LeafType(kind), text.encode()) == expected.encode()


def test_the_mac_is_over_the_values_that_are_listed() -> None:
    one = json.loads(BLOCKS["mac"])
    encrypted, clear = "".join(one["encrypted"]).encode(), "".join(one["clear"]).encode()
    assert sha512(encrypted + clear).hexdigest().upper() == one["digest"]
    only = sha512(sha256(b"sops").digest() + encrypted).hexdigest().upper()
    assert only == one["digest_with_mac_only_encrypted"]
    values = [(True, Plaintext(value.encode())) for value in one["encrypted"]]
    values += [(False, Plaintext(value.encode())) for value in one["clear"]]
    assert mac.compute(values, only_encrypted=False) == one["digest"]
    assert mac.compute(values, only_encrypted=True) == only
    metadata = parse(BLOCKS["sealed.yaml"].encode()).metadata
    cipher = Cipher(Plaintext(bytes(range(32))))
    sealed = cipher.open(metadata.mac, metadata.lastmodified.encode())
    assert sealed == ("str", Plaintext(one["digest"].encode()))


@pytest.mark.parametrize(("stands", "aad"), rows("lastmodified"))
def test_the_mac_is_bound_to_the_instant_printed_again(stands: str, aad: str) -> None:
    cipher = Cipher(Plaintext(bytes(range(32))))
    sealed = mac.seal("AB", cipher, stands)
    assert cipher.open(sealed, aad.encode()) == ("str", Plaintext(b"AB"))


@pytest.mark.parametrize(("find", "replacement"), mutations("holes"))
def test_the_mac_does_not_cover(tmp_path: Path, find: str, replacement: str) -> None:
    changed = mutated(find, replacement)
    assert opened(changed)
    assert sops(tmp_path, "decrypt", changed) is not None


@pytest.mark.parametrize(("find", "replacement"), mutations("refused"))
def test_the_mac_covers(tmp_path: Path, find: str, replacement: str) -> None:
    changed = mutated(find, replacement)
    with pytest.raises(NixsecretsError):
        opened(changed)
    assert sops(tmp_path, "decrypt", changed) is None


def test_row_1_anybody_may_make_a_whole_new_document() -> None:
    forged = Plaintext(b"pin: 1\n")
    recipients = [one.recipient for one in identities()]
    assert opened(seal(forged, recipients, NOW).decode()).data_key != Plaintext(bytes(range(32)))


def test_row_2_an_older_version_is_valid() -> None:
    older = opened(BLOCKS["sealed.yaml"])
    assert set_value(older, ("pin",), Plaintext(b"1"), NOW) != BLOCKS["sealed.yaml"].encode()
    assert opened(BLOCKS["sealed.yaml"]).items == older.items


def test_row_3_copies_in_later_documents_of_a_stream(tmp_path: Path) -> None:
    stream = _stream(tmp_path)
    changed = re.sub(r"(?s)(---.*version: )[\d.]+", r"\g<1>0.0.0", stream)
    assert changed != stream
    assert opened(changed)
    assert sops(tmp_path, "decrypt", changed) == b"a: 1\nb: 2\n---\nc: 3\n"


def test_row_9_a_border_between_documents(tmp_path: Path) -> None:
    moved = re.sub(r"(?sm)^(b: [^\n]*\n)(.*?^---\n)", r"\2\1", _stream(tmp_path))
    assert opened(moved)
    assert sops(tmp_path, "decrypt", moved) == b"a: 1\n---\nb: 2\nc: 3\n"


def test_row_8_a_type_that_sops_crashes_on(tmp_path: Path) -> None:
    changed = mutated(r"^(on_call: .*)type:str", r"\1type:bytes")
    assert opened(changed)
    assert sops(tmp_path, "decrypt", changed) is None


def test_row_10_unused_bits_of_base64(tmp_path: Path) -> None:
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    last = re.search(r"^on_call: .*data:\S+?(\w)=,", BLOCKS["sealed.yaml"], re.MULTILINE)
    assert last is not None
    other = digits[digits.index(last[1]) ^ 1]
    changed = BLOCKS["sealed.yaml"][: last.start(1)] + other + BLOCKS["sealed.yaml"][last.end(1) :]
    assert opened(changed)
    assert sops(tmp_path, "decrypt", changed) is not None


def test_row_11_values_in_clear_where_only_encrypted_ones_count(tmp_path: Path) -> None:
    recipients = [one.recipient for one in identities()]
    text = Plaintext(b"a: 1\nb_unencrypted: 2\n")
    sealed = seal(text, recipients, NOW, Terms(mac_only_encrypted=True)).decode()
    changed = mutated("^b_unencrypted: 2", "c_unencrypted: [3, 4]", sealed)
    assert opened(changed)
    assert sops(tmp_path, "decrypt", changed) is not None


@pytest.mark.parametrize(
    ("find", "replacement"),
    [
        pytest.param(r"^(pin: .*)$", r"\1 more", id="text behind a leaf's bracket"),
        pytest.param(r"^    - (ENC.*)$", r"    #\1", id="a list item behind a comment's mark"),
    ],
)
def test_we_refuse_what_sops_takes(tmp_path: Path, find: str, replacement: str) -> None:
    changed = mutated(find, replacement)
    with pytest.raises(IntegrityError):
        opened(changed)
    assert sops(tmp_path, "decrypt", changed) is not None


def test_every_row_of_the_closed_list_is_tried() -> None:
    start = PAGE.index("### What the MAC does not cover")
    section = PAGE[start:].partition("## 5.")[0]
    numbers = [int(number) for number in re.findall(r"^(\d+)\. ", section, re.MULTILINE)]
    tried = {one["row"] for one in json.loads(BLOCKS["holes"])}
    tried |= {int(name.split("_")[2]) for name in globals() if name.startswith("test_row_")}
    assert numbers == list(range(1, 12)) == sorted(tried)


def test_the_shares_are_those_of_the_polynomials_and_any_two_give_the_data_key() -> None:
    one = json.loads(BLOCKS["shamir"])
    data_key = Plaintext(bytes.fromhex(one["data_key"]))
    shares = [Plaintext(bytes.fromhex(share)) for share in one["shares"]]
    made = shamir._split(data_key, len(shares), bytes.fromhex(one["coefficients"]))
    assert list(made) == shares
    for pair in combinations(shares, one["threshold"]):
        assert shamir.combine(pair) == data_key


@pytest.mark.parametrize(("kind", "text", "path", "expected"), columns("selection"))
def test_a_rule_chooses_leaves(kind: str, text: str, path: str, expected: str) -> None:
    encrypted = parse_selection({kind: text}).encrypts(tuple(path.split("/")), ())
    assert encrypted is (expected == "sealed")


@pytest.mark.parametrize(("kind", "text", "path", "expected"), columns("comment-selection"))
def test_a_rule_about_comments_chooses_leaves(
    kind: str, text: str, path: str, expected: str
) -> None:
    chosen = dict(selected((kind, text), BLOCKS["commented"]))
    assert chosen[path] is (expected == "sealed")


@pytest.mark.parametrize(("pattern", "expected"), rows("patterns"))
def test_an_expression_is_taken_or_refused(pattern: str, expected: str) -> None:
    if expected == "taken":
        assert compile_pattern(pattern).text == pattern
    else:
        with pytest.raises(RepositoryError):
            compile_pattern(pattern)


@pytest.mark.parametrize(("path", "number"), rows("policy-paths"))
def test_a_path_has_its_creation_rule(path: str, number: str) -> None:
    rule = parse_policy(BLOCKS["policy"].encode()).rule_for(PurePosixPath(path))
    assert rule is not None
    assert rule.place == int(number) - 1


@pytest.mark.parametrize(("text", "kind", "content"), rows("scalars"))
def test_a_plain_scalar_has_its_type(text: str, kind: str, content: str) -> None:
    found, canonical_bytes = resolve_plain(text)
    assert (found.value, canonical_bytes) == (kind, content.encode())


@pytest.mark.parametrize(("kind", "content", "written"), rows("spelled"))
def test_a_value_is_written_so(kind: str, content: str, written: str) -> None:
    assert spell(LeafType(kind), json.loads(content).encode(), 4) == written


def test_new_documents_carry_the_version_that_the_page_tells() -> None:
    assert f"We write `{VERSION}` into new" in PAGE


def _stream(folder: Path) -> str:
    sealed = sops(folder, "encrypt", "a: 1\nb: 2\n---\nc: 3\n")
    assert sealed is not None
    return sealed.decode()
