"""A host key by ssh-keyscan, and who vouches for it: a fingerprint, known_hosts, or a person.

What is compared is what is recorded: there is one scan, and whoever answers a later one changes
nothing. That the machine holds the private half, `hosts --verify` has it prove.
"""

import shlex
from collections.abc import Sequence

from click.exceptions import Exit

from nixsecrets.age.sshkey import parse_public_key
from nixsecrets.cli.app import App, tell
from nixsecrets.errors import ExitStatus, FoundError
from nixsecrets.fleet.load import parse_host_key
from nixsecrets.fleet.model import HostKey
from nixsecrets.system import known_hosts, ssh, terminal
from nixsecrets.system.known_hosts import KnownHost, Verdict

_SHOW_FINGERPRINT = "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"


def scanned(app: App, text: str, fingerprint: str | None) -> HostKey:
    """Return the key that a host answers with, once somebody vouches for it.

    Args:
        app: this call, for ssh's options.
        text: the host's address.
        fingerprint: what its key must be; it counts more than another key in known_hosts.

    Raises:
        FoundError: the key is another than it must be, is revoked, or known_hosts disagrees.
        ProgramError: nobody answers with an ssh-ed25519 key.
        UsageError: it is no address, or nobody can be asked.
    """
    address, options = ssh.validate_address(text), ssh.options_from(app.environment)
    line = _only(text, ssh.scan(address, options))
    lines = known_hosts.known(address, options)
    found = parse_public_key(line).fingerprint
    verdict = known_hosts.judge(line, lines)
    if verdict is Verdict.REVOKED:  # always wins, sshd(8)
        raise FoundError(
            f"{found} of {text} is revoked in known_hosts", hint="make a new host key on that host"
        )
    if fingerprint is not None:
        _refuse_other(text, found, fingerprint)
        if verdict is Verdict.ANOTHER:
            others = known_hosts.others(line, lines)
            tell(f"warning: known_hosts has another key for {text}: {_forget(app, text, others)}")
        return parse_host_key(line)
    match verdict:
        case Verdict.SAME:
            tell(f"{text}: {found} stands in known_hosts")
        case Verdict.ANOTHER:
            raise _disagreement(app, text, found, known_hosts.others(line, lines))
        case Verdict.AUTHORITY:
            tell(
                f"known_hosts names a certificate authority for {text}, which vouches for "
                "certificates and says nothing about this key"
            )
            _ask_about(text, found)
        case Verdict.NOTHING:
            _ask_about(text, found)
    return parse_host_key(line)


def _only(text: str, answers: Sequence[str]) -> str:
    if len(answers) > 1:
        shown = " and ".join(parse_public_key(line).fingerprint for line in answers)
        raise FoundError(
            f"{text} answers with several keys, {shown}",
            hint="give the host's own with `--key FILE`",
        )
    return answers[0]


def _refuse_other(text: str, found: str, fingerprint: str) -> None:
    if found != fingerprint:
        raise FoundError(
            f"{text} answers with {found}, not with {fingerprint}",
            hint=f"somebody else may have answered; on the host itself: {_SHOW_FINGERPRINT}",
        )


def _disagreement(app: App, text: str, found: str, others: Sequence[KnownHost]) -> FoundError:
    known = ", ".join(parse_public_key(one.public).fingerprint for one in others)
    return FoundError(
        f"{text} answers with {found}, and known_hosts has {known}",
        hint="somebody else may have answered; if the machine has a new key, compare on it "
        f"({_SHOW_FINGERPRINT}) and give --fingerprint, or forget the old one: "
        f"{_forget(app, text, others)}",
    )


def _forget(app: App, text: str, others: Sequence[KnownHost]) -> str:
    """Return the commands that take a host's other keys out of known_hosts."""
    options = ssh.options_from(app.environment)
    name = ssh.resolve(ssh.validate_address(text), options).name
    files = dict.fromkeys(one.file for one in others)
    return "; ".join(shlex.join(("ssh-keygen", "-R", name, "-f", str(file))) for file in files)


def _ask_about(text: str, fingerprint: str) -> None:
    tell(f"{text} answers with {fingerprint}")
    tell(f"compare it on the host itself: {_SHOW_FINGERPRINT}")
    flag = f"--fingerprint SHA256:… as the host itself shows it: {_SHOW_FINGERPRINT}"
    if not terminal.confirm("is it the same?", flag=flag):
        tell("nothing was changed")
        raise Exit(ExitStatus.INTERRUPTED)
