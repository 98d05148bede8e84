import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pyrage
import pytest

from nixsecrets.age import bech32
from nixsecrets.age.identity import generate_identity
from nixsecrets.age.keywrap import unwrap, wrap
from nixsecrets.age.recipient import Recipient, RecipientKind, parse_recipient
from nixsecrets.age.ssh import convert_public_key, generate_ed25519
from nixsecrets.errors import NoIdentityError
from nixsecrets.plaintext import Plaintext
from nixsecrets.system.identities import (
    FoundIdentities,
    load_host_identity,
    load_identities,
)
from tests.age import plugins
from tests.age.typist import Typist
from tests.tools import require_tool


def write(file: Path, content: Plaintext) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.reveal())
    return file


def write_age(file: Path) -> Recipient:
    content, recipient = generate_identity()
    write(file, content)
    return recipient


def write_ssh(file: Path) -> list[Recipient]:
    """Write an ssh identity; return its own recipient and the converted one."""
    content, public = generate_ed25519("me")
    write(file, content)
    return [parse_recipient(public.line), convert_public_key(public)]


def recipients(found: FoundIdentities) -> list[Recipient]:
    return [identity.recipient for identity in found.identities]


def commanded(file: Path) -> str:
    """Return a command that prints the file, spelled with quotes and blanks."""
    program = "import sys; print(open(sys.argv[1]).read())"
    return f"{shlex.quote(sys.executable)} -c '{program}' \"{file}\""


def environment(**variables: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], **variables}


def test_every_source_is_read_and_all_are_combined(own_environment: Path, tmp_path: Path) -> None:
    home = own_environment
    in_file = write_age(tmp_path / "of file")
    by_command = write_age(tmp_path / "of command")
    in_default = write_age(home / ".config/sops/age/keys.txt")
    ssh_file = write_ssh(tmp_path / "ssh file")
    ssh_command = write_ssh(tmp_path / "ssh command")
    ssh_default = write_ssh(home / ".ssh/id_ed25519")
    ssh_other_default = write_ssh(home / ".ssh/id_rsa")
    text, in_variable = generate_identity()
    found = load_identities(
        environment(
            SOPS_AGE_KEY=text.reveal().decode(),
            SOPS_AGE_KEY_FILE=str(tmp_path / "of file"),
            SOPS_AGE_KEY_CMD=commanded(tmp_path / "of command"),
            SOPS_AGE_SSH_PRIVATE_KEY_FILE=str(tmp_path / "ssh file"),
            SOPS_AGE_SSH_PRIVATE_KEY_CMD=commanded(tmp_path / "ssh command"),
        ),
        home,
    )
    assert found.refused == ()
    assert {identity.source: identity.recipient for identity in found.identities} == {
        "SOPS_AGE_KEY": in_variable,
        f"SOPS_AGE_KEY_FILE={tmp_path}/of file": in_file,
        "SOPS_AGE_KEY_CMD": by_command,
        f"{home}/.config/sops/age/keys.txt": in_default,
        f"SOPS_AGE_SSH_PRIVATE_KEY_FILE={tmp_path}/ssh file": ssh_file[1],
        "SOPS_AGE_SSH_PRIVATE_KEY_CMD": ssh_command[1],
        f"{home}/.ssh/id_ed25519": ssh_default[1],
        f"{home}/.ssh/id_rsa": ssh_other_default[1],
    }
    assert {recipient.text for recipient in recipients(found)} >= {
        pair[0].text for pair in (ssh_file, ssh_command, ssh_default, ssh_other_default)
    }


def test_no_source_is_no_identity_and_nothing_refused(own_environment: Path) -> None:
    found = load_identities(environment(SOPS_AGE_KEY="", SOPS_AGE_KEY_FILE=""), own_environment)
    assert found == FoundIdentities((), ())


@pytest.mark.parametrize(
    ("platform", "variables", "file"),
    [
        ("linux", {}, ".config/sops/age/keys.txt"),
        ("linux", {"XDG_CONFIG_HOME": "{home}/xdg"}, "xdg/sops/age/keys.txt"),
        ("linux", {"XDG_CONFIG_HOME": ""}, ".config/sops/age/keys.txt"),
        ("linux", {"XDG_CONFIG_HOME": "xdg"}, ".config/sops/age/keys.txt"),
        ("darwin", {}, "Library/Application Support/sops/age/keys.txt"),
        ("darwin", {"XDG_CONFIG_HOME": "{home}/xdg"}, "xdg/sops/age/keys.txt"),
    ],
    ids=["linux", "linux, XDG", "empty XDG", "relative XDG", "macOS", "macOS, XDG"],
)
def test_the_default_file_lies_where_sops_has_it(
    platform: str, variables: dict[str, str], file: str, own_environment: Path
) -> None:
    home = own_environment
    recipient = write_age(home / file)
    spelled = {name: value.format(home=home) for name, value in variables.items()}
    assert recipients(load_identities(spelled, home, platform)) == [recipient]


def test_an_identity_of_two_sources_is_kept_once(own_environment: Path) -> None:
    file = own_environment / ".config/sops/age/keys.txt"
    recipient = write_age(file)
    found = load_identities(environment(SOPS_AGE_KEY_FILE=str(file)), own_environment)
    assert recipients(found) == [recipient]


def test_a_bad_line_is_named_with_its_source_and_the_rest_is_used(own_environment: Path) -> None:
    file = own_environment / "keys.txt"
    recipient = write_age(file)
    file.write_text(f"AGE-SECRET-KEY-1CUTOFF\n{file.read_text()}")
    found = load_identities(environment(SOPS_AGE_KEY_FILE=str(file)), own_environment)
    assert recipients(found) == [recipient]
    reason = "line 1: a malformed age identity (cut off, or a wrong character)"
    assert found.refused == (f"SOPS_AGE_KEY_FILE={file}: {reason}",)


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("SOPS_AGE_KEY_FILE", "/none", "it cannot be read: No such file or directory"),
        ("SOPS_AGE_SSH_PRIVATE_KEY_FILE", "/", "it cannot be read: Is a directory"),
        ("SOPS_AGE_KEY", "hunter2", "line 1: not an age identity"),
        (
            "SOPS_AGE_KEY_CMD",
            "no-such-program-here",
            "no-such-program-here cannot be started: No such file or directory",
        ),
        ("SOPS_AGE_KEY_CMD", "false", "false failed with status 1"),
        ("SOPS_AGE_KEY_CMD", "echo 'open", "its quotes do not close"),
        ("SOPS_AGE_KEY_CMD", " ", "it names no program"),
        ("SOPS_AGE_KEY_CMD", "true", "there is no identity in it"),
        (
            "SOPS_AGE_SSH_PRIVATE_KEY_CMD",
            "echo hunter2",
            "it is not an ssh identity of OpenSSH's or PEM's RSA form",
        ),
    ],
    ids=[
        "missing file",
        "directory",
        "bad text",
        "no such program",
        "failing program",
        "open quote",
        "blank command",
        "silent command",
        "command without ssh identity",
    ],
)
def test_a_source_that_cannot_be_used_is_named_and_the_others_are_read(
    variable: str, value: str, reason: str, own_environment: Path
) -> None:
    recipient = write_age(own_environment / ".config/sops/age/keys.txt")
    found = load_identities(environment(**{variable: value}), own_environment)
    assert recipients(found) == [recipient]
    name = f"{variable}={value}" if variable.endswith("FILE") else variable
    assert found.refused == (f"{name}: {reason}",)


def test_a_command_is_not_run_by_a_shell(own_environment: Path, tmp_path: Path) -> None:
    made = tmp_path / "made"
    load_identities(environment(SOPS_AGE_KEY_CMD=f"true; touch {made}"), own_environment)
    assert not made.exists()


@pytest.mark.parametrize("variable", ["SOPS_AGE_KEY_FILE", "SOPS_AGE_KEY_CMD"])
def test_an_identity_in_the_wrong_variable_is_not_quoted(
    variable: str, own_environment: Path
) -> None:
    secret = generate_identity()[0].reveal().decode().splitlines()[1]
    found = load_identities(environment(**{variable: secret}), own_environment)
    belongs = "the path of a file" if variable.endswith("FILE") else "a command"
    assert found.refused == (f"{variable}: it holds an identity where {belongs} belongs",)


def test_a_default_file_that_may_not_be_read_is_named(own_environment: Path) -> None:
    file = own_environment / ".config/sops/age/keys.txt"
    file.mkdir(parents=True)
    found = load_identities({}, own_environment)
    assert found == FoundIdentities((), (f"{file}: it cannot be read: Is a directory",))


def test_the_host_identity_opens_what_is_wrapped_to_its_conversion(tmp_path: Path) -> None:
    file = tmp_path / "ssh_host_ed25519_key"
    _own, converted = write_ssh(file)
    found = load_host_identity(file)
    stanza = wrap(Plaintext(b"data key"), converted)
    assert unwrap([stanza], found.identities) == Plaintext(b"data key")
    assert found.refused == ()


def test_a_missing_host_identity_is_named(tmp_path: Path) -> None:
    file = tmp_path / "ssh_host_ed25519_key"
    assert load_host_identity(file) == FoundIdentities(
        (), (f"{file}: it cannot be read: No such file or directory",)
    )


def protect(file: Path, *options: str) -> str:
    """Put an ssh identity behind the passphrase `hunter2`; return its public line."""
    file.parent.mkdir(parents=True)
    command = [require_tool("ssh-keygen"), "-q", "-N", "hunter2", "-a", "2", *options]
    subprocess.run([*command, "-f", file], check=True)
    return file.with_name(f"{file.name}.pub").read_text()


def test_without_anybody_to_ask_what_a_passphrase_protects_is_named(own_environment: Path) -> None:
    age_file = own_environment / ".config/sops/age/keys.txt"
    write(age_file, Plaintext(pyrage.passphrase.encrypt(b"#", "hunter2")))
    ssh_file = own_environment / ".ssh/id_ed25519"
    protect(ssh_file, "-t", "ed25519")
    assert load_identities({}, own_environment) == FoundIdentities(
        (),
        (
            f"{ssh_file}: it is protected by a passphrase: run this on a terminal",
            f"{age_file}: it is protected by a passphrase: run this on a terminal",
        ),
    )


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("id_ed25519", ["-t", "ed25519"]),
        ("id_rsa", ["-t", "rsa", "-b", "2048", "-m", "PEM"]),
    ],
    ids=["OpenSSH", "PEM, with its public half beside it"],
)
def test_a_protected_ssh_identity_is_unlocked_when_it_is_needed(
    name: str, options: list[str], own_environment: Path
) -> None:
    file = own_environment / ".ssh" / name
    line = protect(file, *options)
    ask = Typist("hunter2")
    found = load_identities({}, own_environment, ask=ask)
    assert found.refused == ()
    assert ask.prompts == []
    stanza = wrap(Plaintext(b"data key"), parse_recipient(line))
    assert unwrap([stanza], found.identities) == Plaintext(b"data key")
    assert ask.prompts == [f"passphrase of {file}: "]


def test_a_protected_file_that_two_sources_give_is_asked_for_once(own_environment: Path) -> None:
    content, _recipient = generate_identity()
    file = own_environment / ".config/sops/age/keys.txt"
    write(file, Plaintext(pyrage.passphrase.encrypt(content.reveal(), "hunter2")))
    ask = Typist("hunter2")
    found = load_identities(environment(SOPS_AGE_KEY_FILE=str(file)), own_environment, ask=ask)
    stanza = wrap(Plaintext(b"data key"), generate_identity()[1])
    with pytest.raises(NoIdentityError, match="none of SOPS_AGE_KEY_FILE="):
        unwrap([stanza], found.identities)
    assert len(ask.prompts) == 1


def test_of_two_sources_with_one_recipient_the_one_without_passphrase_is_used(
    own_environment: Path, tmp_path: Path
) -> None:
    protected = own_environment / ".ssh/id_ed25519"
    line = protect(protected, "-t", "ed25519")
    clear = tmp_path / "clear"
    shutil.copyfile(protected, clear)
    clear.chmod(0o600)
    change = [require_tool("ssh-keygen"), "-q", "-p", "-P", "hunter2", "-N", "", "-f", clear]
    subprocess.run(change, check=True, capture_output=True)
    ask = Typist()
    found = load_identities(
        environment(SOPS_AGE_SSH_PRIVATE_KEY_FILE=str(clear)), own_environment, ask=ask
    )
    assert len(found.identities) == 2
    stanza = wrap(Plaintext(b"data key"), parse_recipient(line))
    assert unwrap([stanza], found.identities) == Plaintext(b"data key")


def test_post_quantum_and_plugin_identities_stand_beside_others(
    own_environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", plugins.install(tmp_path))
    told: list[str] = []
    secret = generate_identity()[0].reveal().decode().splitlines()[1]
    hybrid = bech32.encode("age-secret-key-pq-", os.urandom(32)).upper()
    text = f"{plugins.identity('tell touch it')} {hybrid} {secret}"
    found = load_identities({"SOPS_AGE_KEY": text}, own_environment, tell=told.append)
    assert found.refused == ()
    assert [identity.recipient and identity.recipient.kind for identity in found.identities] == [
        RecipientKind.HYBRID,
        RecipientKind.X25519,
        None,
    ]
    plugin_stanza = wrap(Plaintext(b"data key"), parse_recipient(plugins.recipient()))
    assert unwrap([plugin_stanza], found.identities) == Plaintext(b"data key")
    assert told == ["touch it"]
