"""An age plugin for the tests: C2SP's age-plugin.md, both state machines, no cryptography.

What it wraps anyone can open: the file key is combined with a constant. The data of a recipient or
an identity, ASCII, says how the plugin behaves: see `behave`.
"""

import signal
import sys
from base64 import b64decode, b64encode
from pathlib import Path

COLUMNS = 64
STANZA = "nixsecrets-test"


def say(*arguments: str, body: bytes = b"") -> None:
    encoded = b64encode(body).decode().rstrip("=")
    lines = [encoded[at : at + COLUMNS] for at in range(0, len(encoded) + 1, COLUMNS)]
    sys.stdout.write("\n".join([f"-> {' '.join(arguments)}", *lines]) + "\n")
    sys.stdout.flush()


def hear() -> tuple[list[str], bytes]:
    arguments = sys.stdin.readline().split()[1:]
    if not arguments:
        sys.exit("the client is gone")
    encoded = ""
    while len(line := sys.stdin.readline().strip()) == COLUMNS:
        encoded += line
    encoded += line
    return arguments, b64decode(encoded + "=" * (-len(encoded) % 4))


def ask(*arguments: str, body: bytes = b"") -> tuple[list[str], bytes]:
    say(*arguments, body=body)
    return hear()


def data_of(bech32: str) -> str:
    """Return the data of a recipient or an identity; whoever made it spelled it well."""
    digits = [
        "qpzry9x8gf2tvdw0s3jn54khce6mua7l".index(one) for one in bech32.lower().split("1")[-1]
    ]
    bits = "".join(f"{digit:05b}" for digit in digits[:-6])
    return bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits) - 7, 8)).decode()


def combined(file_key: bytes) -> bytes:
    return bytes(byte ^ 0x55 for byte in file_key)


def behave(data: str) -> str | None:
    """Do what the data asks for; return the words of an error, if it is one."""
    match data.partition(" "):
        case "fail", _, words:
            return words
        case "die", _, words:
            sys.exit(words)
        case "hang", _, pipe:
            Path(pipe).write_text("hanging\n")
            signal.pause()
        case "tell", _, words:
            ask("msg", body=words.encode())
        case "confirm", _, words:
            answer, _body = ask("confirm", "dG91Y2hlZA", "c2tpcA", body=words.encode())
            return None if answer == ["ok", "yes"] else f"answered {' '.join(answer)}"
        case "public" | "secret" as kind, _, words:
            answer, body = ask(f"request-{kind}", body=words.encode())
            return None if body == b"1234" else f"answered {' '.join(answer)} {body.decode()}"
    return None


def hear_phase() -> list[tuple[list[str], bytes]]:
    heard = []
    while (command := hear())[0] != ["done"]:
        heard.append(command)
    return heard


def wrap() -> None:
    heard = hear_phase()
    recipients = [data_of(words[1]) for words, _body in heard if words[0] == "add-recipient"]
    (file_key,) = [body for words, body in heard if words[0] == "wrap-file-key"]
    for number, data in enumerate(recipients):
        if words := behave(data):
            ask("error", "recipient", str(number), body=words.encode())
        else:
            ask("recipient-stanza", "0", STANZA, body=combined(file_key))
    say("done")


def unwrap() -> None:
    heard = hear_phase()
    identities = [data_of(words[1]) for words, _body in heard if words[0] == "add-identity"]
    stanzas = [
        body for words, body in heard if words[0] == "recipient-stanza" and words[2:] == [STANZA]
    ]
    for number, data in enumerate(identities):
        for body in stanzas:
            if words := behave(data):
                ask("error", "identity", str(number), body=words.encode())
            else:
                ask("file-key", "0", body=combined(body))
    say("done")


def main() -> None:
    match sys.argv[1:]:
        case ["--age-plugin=recipient-v1"]:
            wrap()
        case ["--age-plugin=identity-v1"]:
            unwrap()
        case _:
            sys.exit("this is an age plugin, started by age")


if __name__ == "__main__":
    main()
