"""Recipients, identities and messages of age, and the files of ssh."""

from io import BytesIO

from fuzz.claims import claim, claim_silence
from nixsecrets.age import armor, bech32, hybrid, message, ssh
from nixsecrets.age.identity import Effort, Identity, parse_identities
from nixsecrets.age.keywrap import wrap
from nixsecrets.age.plugin import Person
from nixsecrets.age.recipient import (
    RecipientKind,
    parse_recipient,
    parse_recipients,
    recipient_of_ssh,
)
from nixsecrets.age.sshfile import find_protected_pem, parse_openssh
from nixsecrets.age.sshkey import parse_public_key, read_string
from nixsecrets.errors import IntegrityError, NixsecretsError, NoIdentityError, RepositoryError
from nixsecrets.plaintext import Plaintext

_DATA_KEY = Plaintext(bytes(32))
_FILE_KEY = Plaintext(bytes(message.FILE_KEY_BYTES))
_HYBRID = hybrid.HybridSecret(Plaintext(bytes(32)))
_MOST_ROUNDS = 2  # of bcrypt: what a file asks for is time that its owner chose


def bech32_text(content: bytes) -> None:
    text = content.decode("utf-8", "replace")
    claim("bytes are spelled so that they read back", holds=_bech32_reads_back(content))
    prefix, data = bech32.decode(text)
    again = bech32.decode(bech32.encode(prefix, data))
    claim("what was read is spelled so that it reads back", holds=again == (prefix, data))


def recipients(content: bytes) -> None:
    text = content.decode("utf-8", "replace")
    try:
        found = parse_recipients(text)
    except RepositoryError as error:
        claim("the line is told", holds=error.line is not None or "no recipient in" in str(error))
    else:
        claim("there is one at least", holds=bool(found))
    recipient = parse_recipient(text)
    claim("its spelling reads back", holds=parse_recipient(recipient.label) == recipient)
    if recipient.kind is not RecipientKind.PLUGIN:
        wrap(_DATA_KEY, recipient)


def identities(content: bytes) -> None:
    text = content.decode("utf-8", "replace")
    for person in (Person(), Person(_ask)):
        found = parse_identities(Plaintext(content), "file", person)
        for refused in found.refused:
            claim_silence(NoIdentityError(refused), text)
            claim("a refusal is short", holds=len(refused) < len("line : ") + 200)
        claim("there is one, or a reason", holds=bool(found.identities or found.refused))
        _use(found.identities)


def ssh_public(content: bytes) -> None:
    key = parse_public_key(content.decode("utf-8", "replace"))
    claim("its line reads back", holds=parse_public_key(key.line) == key)
    if key.algorithm == "ssh-ed25519":
        wrap(_DATA_KEY, ssh.convert_public_key(key))
    wrap(_DATA_KEY, recipient_of_ssh(key))


def ssh_private(content: bytes) -> None:
    text = content.decode("utf-8", "replace")
    try:
        _use(ssh.parse_private_key(Plaintext(content), "file"))
    except NoIdentityError as error:
        claim_silence(error, text)
    try:
        ssh.parse_private_key(Plaintext(content), "file", _ask, None)
    except NoIdentityError as error:
        claim_silence(error, text)
    _unlock_pem(text)
    _unlock_openssh(text)


def ssh_structure(content: bytes) -> None:
    """Read the structure inside of an ssh private file."""
    armored = armor.armor(content).replace("AGE ENCRYPTED FILE", "OPENSSH PRIVATE KEY")
    ssh_private(armored.encode())


def armored_message(content: bytes) -> None:
    text = content.decode("utf-8", "replace")
    claim("armored bytes read back", holds=armor.unarmor(armor.armor(content)) == (content or None))
    found = armor.unarmor(text)
    if found is not None:
        again = armor.armor(found).split()
        claim("the armor of what was read is the same", holds=again == text.split())


def message_header(content: bytes) -> None:
    _HYBRID.decrypt(content)
    parsed = message.parse(content)
    whole = parsed.authenticated + b" " + message.encode(parsed.mac).encode() + b"\n"
    claim("the header and the payload are all", holds=whole + parsed.payload == content)
    message.open_payload(parsed, _FILE_KEY)


def hybrid_half(content: bytes) -> None:
    text = content.decode("utf-8", "replace")
    try:
        hybrid.parse_identity(text)
    except NoIdentityError as error:
        claim_silence(error, text)
    hybrid.check_public(content)
    sealed = hybrid.encrypt(_DATA_KEY, content)
    message.parse(sealed)


def _ask(_prompt: str) -> Plaintext:
    return Plaintext(b"passphrase")


def _use(found: tuple[Identity, ...]) -> None:
    for identity in found:
        if identity.effort is Effort.NONE:
            claim("nothing opens nothing", holds=identity.decrypt(b"") is None)


def _bech32_reads_back(content: bytes) -> bool:
    return bech32.decode(bech32.encode("age", content)) == ("age", content)


def _unlock_pem(text: str) -> None:
    try:
        protected = find_protected_pem(text)
        if protected:
            protected.unlocked(_ask(""))
    except NoIdentityError as error:
        claim_silence(error, text)


def _unlock_openssh(text: str) -> None:
    try:
        file = parse_openssh(text)
        stream = BytesIO(file.options)
        if file.is_protected and read_string(stream) and _rounds(stream) <= _MOST_ROUNDS:
            file.unlocked(_ask(""))
    except (NoIdentityError, RepositoryError, IntegrityError) as error:
        _as_error(error, text)


def _rounds(stream: BytesIO) -> int:
    return int.from_bytes(stream.read(4))


def _as_error(error: NixsecretsError, text: str) -> None:
    claim_silence(error, text)
