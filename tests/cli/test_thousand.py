"""A thousand documents in one transaction, as a policy of one rule governs them."""

from datetime import UTC, datetime

import pytest

from nixsecrets import sops
from nixsecrets.age.identity import generate_identity
from nixsecrets.plaintext import Plaintext
from tests.cli.scenes import Scene

DOCUMENTS = 1000


@pytest.fixture
def many(bare: Scene) -> Scene:
    content, recipient = generate_identity()
    bare.identity_file.parent.mkdir(parents=True)
    bare.identity_file.write_bytes(content.reveal())
    bare.write(".sops.yaml", f"creation_rules:\n  - age: {recipient.text}\n")
    sealed = sops.seal(Plaintext(b"a: one\n"), [recipient], datetime.now(UTC)).decode()
    for number in range(DOCUMENTS):
        bare.write(f"many/{number}.yaml", sealed)
    bare.commit()
    return bare


def documents(scene: Scene) -> set[str]:
    return {scene.read(f"many/{number}.yaml") for number in range(DOCUMENTS)}


def test_a_thousand_documents_get_new_data_keys_in_one_transaction(many: Scene) -> None:
    (many.root / "many/7.yaml").chmod(0o640)
    status, screen = many.talk(("rotate", "data-keys", "--yes"))
    assert status == 0, screen
    assert len(documents(many)) == DOCUMENTS
    assert many.done("get", "--file", "many/999.yaml", "a") == "one"
    assert (many.root / "many/7.yaml").stat().st_mode & 0o777 == 0o640
    assert many.git("status", "--porcelain").count("\n") == DOCUMENTS
