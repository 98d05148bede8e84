import os
import subprocess
import textwrap
from collections.abc import Callable
from pathlib import Path

import pyrage
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from nixsecrets.age import bech32, message
from nixsecrets.age.armor import unarmor
from nixsecrets.age.identity import Identity, generate_identity, parse_identities
from nixsecrets.age.keywrap import Stanza, open_stanza, unwrap, wrap
from nixsecrets.age.plugin import Person
from nixsecrets.age.recipient import Recipient, parse_recipient
from nixsecrets.age.ssh import generate_ed25519, parse_private_key
from nixsecrets.errors import IntegrityError, NoIdentityError
from nixsecrets.plaintext import Plaintext
from tests.age import plugins
from tests.age.typist import Typist
from tests.tools import require_tool

DATA_KEY = Plaintext(os.urandom(32))


def made(source: str = "keys.txt") -> tuple[Identity, Recipient]:
    content, recipient = generate_identity()
    return parse_identities(content, source).identities[0], recipient


def made_ssh(comment: str) -> tuple[Identity, Identity, Recipient]:
    content, public = generate_ed25519(comment)
    own, converted = parse_private_key(content, "id_ed25519")
    return own, converted, parse_recipient(public.line)


def age(*arguments: str | Path, given: bytes) -> bytes:
    return subprocess.run(
        [require_tool("age"), *arguments], input=given, check=True, capture_output=True
    ).stdout


def folded(enc: str, columns: int) -> str:
    begin, *body, end = enc.splitlines()
    return "\n".join([begin, *textwrap.wrap("".join(body), columns), end])


def test_age_opens_what_is_wrapped_to_an_age_recipient(tmp_path: Path) -> None:
    content, recipient = generate_identity()
    (tmp_path / "keys.txt").write_bytes(content.reveal())
    stanza = wrap(DATA_KEY, recipient)
    opened = age("-d", "-i", tmp_path / "keys.txt", given=stanza.enc.encode())
    assert Plaintext(opened) == DATA_KEY
    assert stanza.recipient == recipient.text
    assert stanza.enc.startswith("-----BEGIN AGE ENCRYPTED FILE-----\n")
    assert stanza.enc.endswith("\n-----END AGE ENCRYPTED FILE-----\n")


@pytest.mark.parametrize(
    "options", [["-t", "ed25519"], ["-t", "rsa", "-b", "2048"]], ids=["ed25519", "rsa"]
)
def test_age_opens_what_is_wrapped_to_an_ssh_recipient(options: list[str], tmp_path: Path) -> None:
    file = tmp_path / "id"
    subprocess.run(
        [require_tool("ssh-keygen"), "-q", *options, "-N", "", "-C", "me", "-f", file],
        check=True,
    )
    line = (tmp_path / "id.pub").read_text().strip()
    stanza = wrap(DATA_KEY, parse_recipient(line))
    assert Plaintext(age("-d", "-i", file, given=stanza.enc.encode())) == DATA_KEY
    assert stanza.recipient == line  # as sops has it, the comment included
    identities = parse_private_key(Plaintext(file.read_bytes()), "id")
    assert unwrap([stanza], identities) == DATA_KEY


def test_what_age_wraps_opens() -> None:
    identity, recipient = made()
    message = age("-a", "-r", recipient.text, given=DATA_KEY.reveal())
    assert unwrap([Stanza(recipient.text, message.decode())], [identity]) == DATA_KEY


def test_one_of_several_recipients_is_enough() -> None:
    pairs = [made() for _ in range(3)]
    stanzas = [wrap(DATA_KEY, recipient) for _identity, recipient in pairs]
    for identity, _recipient in pairs:
        assert unwrap(stanzas, [made()[0], identity]) == DATA_KEY


def test_the_stanza_that_names_the_identity_is_opened_first() -> None:
    (identity, recipient), (_other, other_recipient) = made(), made()
    named = wrap(Plaintext(b"named"), recipient)
    lying = Stanza(other_recipient.text, wrap(Plaintext(b"lying"), recipient).enc)
    assert unwrap([lying, named], [identity]) == Plaintext(b"named")


def test_an_ssh_label_names_the_identity_whatever_its_comment() -> None:
    own, converted, recipient = made_ssh("me@t15g")
    named = wrap(Plaintext(b"named"), recipient)
    lying = Stanza("age1foreign", wrap(Plaintext(b"lying"), recipient).enc)
    assert unwrap([lying, named], [converted, own]) == Plaintext(b"named")


def test_a_label_that_names_someone_else_does_not_keep_a_stanza_shut() -> None:
    (identity, recipient), (_other, other_recipient) = made(), made()
    stanza = Stanza(other_recipient.text, wrap(DATA_KEY, recipient).enc)
    assert unwrap([stanza], [identity]) == DATA_KEY


@pytest.mark.parametrize(
    "spell",
    [
        lambda enc: enc.replace("\n", "\r\n"),
        lambda enc: "\n\r\n  \n" + enc,
        lambda enc: enc.rstrip("\n"),
        lambda enc: enc + "\n\n",
    ],
    ids=["CRLF", "leading blank lines", "no final newline", "blank lines behind"],
)
def test_armor_with_other_blanks_opens(spell: Callable[[str], str]) -> None:
    identity, recipient = made()
    stanza = wrap(DATA_KEY, recipient)
    assert open_stanza(Stanza(stanza.recipient, spell(stanza.enc)), identity) == DATA_KEY


@pytest.mark.parametrize(
    "spell",
    [
        lambda _enc: "",
        lambda _enc: "-----BEGIN AGE ENCRYPTED FILE-----\n-----END AGE ENCRYPTED FILE-----\n",
        lambda enc: enc.replace("\n", " "),
        lambda enc: enc.replace("BEGIN AGE", "BEGIN PGP"),
        lambda enc: enc.replace("-----\n", "-----\n=", 1),
        lambda enc: enc.replace("-----\n", "-----\né", 1),
        lambda enc: enc[: len(enc) // 2],
        lambda enc: folded(enc, 32),
        lambda enc: folded(enc, 1000),
    ],
    ids=[
        "empty",
        "no lines",
        "folded",
        "another armor",
        "padding in front",
        "outside ASCII",
        "cut off",
        "short lines",
        "one long line",
    ],
)
def test_armor_that_sops_does_not_take_is_refused(spell: Callable[[str], str]) -> None:
    identity, recipient = made()
    stanza = wrap(DATA_KEY, recipient)
    with pytest.raises(IntegrityError) as caught:
        unwrap([Stanza(stanza.recipient, spell(stanza.enc))], [identity])
    assert str(caught.value) == (
        f"the stanza of {recipient.text} is damaged, or was not wrapped to it"
    )


IDENTITY, RECIPIENT = made()
MESSAGE = pyrage.encrypt(DATA_KEY.reveal(), [pyrage.x25519.Recipient.from_str(RECIPIENT.text)])


@given(st.integers(0, len(MESSAGE) * 8 - 1))
def test_a_message_with_one_bit_changed_does_not_open(bit: int) -> None:
    message = bytearray(MESSAGE)
    message[bit // 8] ^= 1 << bit % 8
    assert IDENTITY.decrypt(bytes(message)) is None


def test_what_is_wrapped_to_a_tag_recipient_opens_with_its_private_half() -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    point = private.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    text = bech32.encode("age1tag", point)
    stanza = wrap(DATA_KEY, parse_recipient(text))
    assert stanza.recipient == text
    parsed = message.parse(unarmor(stanza.enc) or b"")
    (found,) = [one for one in parsed.stanzas if one.arguments[0] == "p256tag"]
    suite = Suite(KEM.P256, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)  # age.md, "p256tag"
    sealed = message.decode(found.arguments[2]) + found.body
    file_key = suite.decrypt(sealed, private, b"age-encryption.org/p256tag")
    assert message.open_payload(parsed, Plaintext(file_key)) == DATA_KEY


def test_a_stanza_for_a_post_quantum_tag_recipient_has_the_form_of_its_type() -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    point = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    mlkem = MLKEM768PrivateKey.generate().public_key().public_bytes_raw()
    stanza = wrap(DATA_KEY, parse_recipient(bech32.encode("age1tagpq", mlkem + point)))
    parsed = message.parse(unarmor(stanza.enc) or b"")
    (found,) = [one for one in parsed.stanzas if one.arguments[0] == "mlkem768p256tag"]
    assert [len(message.decode(one)) for one in found.arguments[1:]] == [4, 1153]
    assert len(found.body) == 32


@pytest.fixture
def counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put the test plugin on PATH; return a file with a line for each time that it is started."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", plugins.install(tmp_path / "bin", counting=tmp_path / "starts"))
    (tmp_path / "starts").write_text("")
    return tmp_path / "starts"


def test_a_plugin_is_started_only_where_no_other_identity_opens(counted: Path) -> None:
    plugin_stanza = wrap(DATA_KEY, parse_recipient(plugins.recipient()))
    counted.write_text("")
    (plugin,) = parse_identities(Plaintext(plugins.identity().encode()), "token").identities
    identity, recipient = made()
    assert unwrap([plugin_stanza, wrap(DATA_KEY, recipient)], [plugin, identity]) == DATA_KEY
    assert counted.read_text() == ""
    assert unwrap([plugin_stanza], [plugin, identity]) == DATA_KEY
    assert counted.read_text() == "started\n"


def test_a_plugin_is_given_first_what_names_its_recipient(counted: Path) -> None:
    stanzas = [*(wrap(DATA_KEY, made()[1]) for _ in range(3))]
    stanzas.append(wrap(DATA_KEY, parse_recipient(plugins.recipient())))
    counted.write_text("")
    content = f"# Recipient: {plugins.recipient()}\n{plugins.identity()}\n"
    assert unwrap(stanzas, parse_identities(Plaintext(content.encode()), "").identities) == DATA_KEY
    assert counted.read_text() == "started\n"


@pytest.mark.usefixtures("counted")
def test_a_passphrase_is_asked_for_only_where_no_plugin_opens() -> None:
    ask = Typist()
    protected = Plaintext(pyrage.passphrase.encrypt(b"#", "hunter2"))
    (locked,) = parse_identities(protected, "keys.txt", Person(ask)).identities
    (plugin,) = parse_identities(Plaintext(plugins.identity().encode()), "token").identities
    stanza = wrap(DATA_KEY, parse_recipient(plugins.recipient()))
    assert unwrap([stanza], [locked, plugin]) == DATA_KEY
    assert ask.prompts == []


def test_a_long_label_is_cut_in_a_message() -> None:
    text = bech32.encode("age-secret-key-pq-", os.urandom(32)).upper()
    (identity,) = parse_identities(Plaintext(text.encode()), "keys.txt").identities
    label = identity.recipient.text if identity.recipient else ""
    with pytest.raises(IntegrityError) as caught:
        unwrap([Stanza(label, "?")], [identity])
    assert str(caught.value) == (
        f"the stanza of {label[:100]}… is damaged, or was not wrapped to it"
    )


def test_an_empty_data_key_is_refused() -> None:
    identity, recipient = made()
    with pytest.raises(IntegrityError, match="the data key is empty"):
        unwrap([wrap(Plaintext(b""), recipient)], [identity])


def test_a_damaged_stanza_does_not_keep_the_others_shut() -> None:
    (identity, recipient), (other, other_recipient) = made(), made()
    stanzas = [Stanza(recipient.text, "?"), wrap(DATA_KEY, other_recipient)]
    assert unwrap(stanzas, [identity, other]) == DATA_KEY


@pytest.mark.parametrize(
    ("count", "sources", "problem"),
    [
        (
            2,
            ["keys.txt", "SOPS_AGE_KEY", "keys.txt"],
            "none of keys.txt, SOPS_AGE_KEY opens the data key, wrapped to 2 recipients",
        ),
        (
            1,
            [],
            "there is no identity to open the data key, wrapped to 1 recipient",
        ),
        (0, ["keys.txt"], "the data key is wrapped to no age recipient"),
    ],
    ids=["foreign identities", "no identity", "no stanza"],
)
def test_what_was_tried_is_told_when_nothing_opens(
    count: int, sources: list[str], problem: str
) -> None:
    stanzas = [wrap(DATA_KEY, made()[1]) for _ in range(count)]
    with pytest.raises(NoIdentityError) as caught:
        unwrap(stanzas, [made(source)[0] for source in sources])
    assert str(caught.value) == problem
