"""One value, made as its declaration says."""

from nixsecrets.fleet.generator import (
    X509,
    Age,
    Base64,
    Command,
    Generator,
    HashedPassword,
    Hex,
    Htpasswd,
    Passphrase,
    Password,
    Prompt,
    ResticPassword,
    SshEd25519,
    Uuid,
    Wireguard,
    WireguardPreshared,
)
from nixsecrets.generators import certificates, hashes, keypairs, passphrases, passwords
from nixsecrets.generators.generated import Generated, Hands, Inputs, Run
from nixsecrets.plaintext import Plaintext

_PEM = b"-----BEGIN "


def make(generator: Generator, inputs: Inputs, hands: Hands) -> Generated:
    """Return a new value.

    Args:
        generator: what is asked for.
        inputs: a value for each of its `references`.
        hands: used by `command`, `prompt` and, where no library does it, `hashed-password`.

    Raises:
        RepositoryError: an input is of no use.
        ProgramError: a program failed.
    """
    match generator:
        case HashedPassword() | Htpasswd():
            return Generated(_hashed(generator, inputs, hands.run))
        case X509(by=by):
            above = None if by is None else inputs[by]
            return certificates.certificate(generator, above, hands.now)
        case Command(arguments):
            return Generated(_stripped(hands.run(arguments, Plaintext(b""))))
        case Prompt(asked):
            return Generated(hands.ask(asked))
        case SshEd25519() | Wireguard() | WireguardPreshared() | Age():
            return _key_pair(generator)
        case Password() | Passphrase() | Hex() | Base64() | Uuid() | ResticPassword():
            return Generated(_drawn(generator))


def _hashed(generator: HashedPassword | Htpasswd, inputs: Inputs, run: Run) -> Plaintext:
    match generator:
        case HashedPassword(of, method):
            return hashes.hashed_password(inputs[of].value, method, run)
        case Htpasswd(users):
            return hashes.htpasswd([(user, inputs[of].value) for user, of in users])


def _key_pair(generator: SshEd25519 | Wireguard | WireguardPreshared | Age) -> Generated:
    match generator:
        case SshEd25519(comment):
            return keypairs.ssh_ed25519(comment)
        case Wireguard():
            return keypairs.wireguard()
        case WireguardPreshared():
            return keypairs.wireguard_preshared()
        case Age():
            return keypairs.age()


def _drawn(
    generator: Password | Passphrase | Hex | Base64 | Uuid | ResticPassword,
) -> Plaintext:
    match generator:
        case Password(length, signs):
            return passwords.password(length, signs)
        case Passphrase(words, separator):
            return passphrases.passphrase(words, separator)
        case Hex(length_bytes):
            return passwords.hexadecimal(length_bytes)
        case Base64(length_bytes):
            return passwords.base64(length_bytes)
        case Uuid():
            return passwords.uuid()
        case ResticPassword():
            return passwords.password()


def _stripped(said: Plaintext) -> Plaintext:
    """Leave out the one final newline that programs print, unless PEM needs it."""
    content = said.reveal()
    return said if content.startswith(_PEM) else Plaintext(content.removesuffix(b"\n"))
