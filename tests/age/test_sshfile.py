import subprocess
from pathlib import Path

import pytest

from nixsecrets.age.keywrap import unwrap, wrap
from nixsecrets.age.recipient import parse_recipient
from nixsecrets.age.ssh import convert_public_key, parse_private_key, parse_public_key
from nixsecrets.age.sshfile import find_protected_pem
from nixsecrets.errors import NoIdentityError
from nixsecrets.plaintext import Plaintext
from tests.age.typist import Typist
from tests.tools import require_tool

DATA_KEY = Plaintext(bytes(range(32)))


def make(folder: Path, *options: str) -> tuple[Plaintext, str]:
    """Make an ssh identity behind the passphrase `hunter2`; return the texts of both its files."""
    file = folder / "made"
    subprocess.run(
        [require_tool("ssh-keygen"), "-q", "-N", "hunter2", "-a", "2", *options, "-f", file],
        check=True,
    )
    return Plaintext(file.read_bytes()), file.with_name("made.pub").read_text()


ALL = pytest.mark.parametrize(
    "options",
    [
        ["-t", "ed25519"],
        ["-t", "ed25519", "-Z", "aes256-cbc"],
        ["-t", "rsa", "-b", "2048"],
        ["-t", "rsa", "-b", "2048", "-m", "PEM"],
    ],
    ids=["ed25519", "ed25519 in CBC", "rsa", "rsa in PEM"],
)


@ALL
def test_a_protected_file_opens_with_its_passphrase(options: list[str], tmp_path: Path) -> None:
    content, line = make(tmp_path, *options)
    ask = Typist("hunter1", "hunter2")
    identities = parse_private_key(content, "id", ask, line)
    assert ask.prompts == []
    for _ in range(2):
        stanza = wrap(DATA_KEY, parse_recipient(line))
        assert unwrap([stanza], identities) == DATA_KEY
    assert ask.prompts == ["passphrase of id: ", "that is not it; passphrase of id: "]


def test_an_unlocked_ed25519_file_opens_what_is_wrapped_to_its_conversion(tmp_path: Path) -> None:
    content, line = make(tmp_path, "-t", "ed25519")
    ask = Typist("hunter2")
    identities = parse_private_key(content, "id", ask)
    converted = convert_public_key(parse_public_key(line))
    assert unwrap([wrap(DATA_KEY, converted)], identities) == DATA_KEY
    assert unwrap([wrap(DATA_KEY, parse_recipient(line))], identities) == DATA_KEY
    assert len(ask.prompts) == 1


def test_a_passphrase_is_asked_for_only_where_a_stanza_names_the_identity(tmp_path: Path) -> None:
    content, _line = make(tmp_path, "-t", "ed25519")
    (tmp_path / "other").mkdir()
    _other, other_line = make(tmp_path / "other", "-t", "ed25519")
    ask = Typist()
    stanzas = [
        wrap(DATA_KEY, parse_recipient(other_line)),
        wrap(DATA_KEY, convert_public_key(parse_public_key(other_line))),
    ]
    with pytest.raises(NoIdentityError, match="none of id opens the data key"):
        unwrap(stanzas, parse_private_key(content, "id", ask))
    assert ask.prompts == []


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (
            ["-t", "ed25519", "-Z", "chacha20-poly1305@openssh.com"],
            "it is encrypted with chacha20-poly1305@openssh.com, not aes256-ctr",
        ),
        (
            ["-t", "ed25519", "-Z", "aes256-gcm@openssh.com"],
            "it is encrypted with aes256-gcm@openssh.com, not aes256-ctr",
        ),
        (
            ["-t", "rsa", "-b", "2048", "-m", "PEM"],
            "it is protected by a passphrase and hides its public half, and no .pub is beside it",
        ),
    ],
    ids=["chacha20", "GCM", "PEM without .pub"],
)
def test_a_protected_file_of_no_use_is_refused_before_anybody_is_asked(
    options: list[str], problem: str, tmp_path: Path
) -> None:
    content, _line = make(tmp_path, *options)
    with pytest.raises(NoIdentityError) as caught:
        parse_private_key(content, "id", Typist())
    assert str(caught.value) == problem
    assert "ssh-keygen" in (caught.value.hint or "")


def test_pem_encrypted_in_another_way_is_refused(tmp_path: Path) -> None:
    content, line = make(tmp_path, "-t", "rsa", "-b", "2048", "-m", "PEM")
    changed = Plaintext(content.reveal().replace(b"AES-128-CBC", b"DES-EDE3-CBC"))
    with pytest.raises(NoIdentityError, match="it is encrypted with DES-EDE3-CBC, not AES-128-CBC"):
        parse_private_key(changed, "id", Typist(), line)


def test_no_other_passphrase_unlocks_pem_whose_only_check_is_its_padding(tmp_path: Path) -> None:
    content, _line = make(tmp_path, "-t", "rsa", "-b", "2048", "-m", "PEM")
    file = find_protected_pem(content.reveal().decode())
    assert file is not None
    wrong = (Plaintext(str(number).encode()) for number in range(2000))
    assert [passphrase for passphrase in wrong if file.unlocked(passphrase)] == []


@ALL
def test_a_protected_file_with_something_changed_opens_nothing(
    options: list[str], tmp_path: Path
) -> None:
    content, line = make(tmp_path, *options)
    stanza = wrap(DATA_KEY, parse_recipient(line))
    text = content.reveal().rstrip()
    for place in range(0, len(text) - 40, 53):
        if text[place : place + 1] == b"\n":
            continue
        cut = Plaintext(text[:place] + text[place + 1 :])
        with pytest.raises(NoIdentityError):
            unwrap([stanza], parse_private_key(cut, "id", Typist(*["hunter2"] * 3), line))
