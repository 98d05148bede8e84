"""`docs/library.md` tells the truth: its examples run, and need neither Click nor the machine."""

import doctest
import re
import subprocess
import sys
from pathlib import Path

PAGE = (Path(__file__).parent.parent / "docs" / "library.md").read_text()
EXAMPLES = "\n".join(re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))


def test_the_examples_show_what_happens() -> None:
    examples = doctest.DocTestParser().get_doctest(EXAMPLES, {}, "docs/library.md", None, None)
    said: list[str] = []
    results = doctest.DocTestRunner().run(examples, out=said.append)
    assert results.attempted > 40
    assert not results.failed, "".join(said)


def test_the_modules_of_the_examples_import_no_click_and_no_system() -> None:
    modules = sorted(set(re.findall(r"from (nixsecrets\.[\w.]*) import", EXAMPLES)))
    listing = (
        f"import sys, {', '.join(modules)}\nfrom nixsecrets.sops import *\nprint(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", listing], capture_output=True, check=True, text=True
    )
    loaded = done.stdout.split()
    assert "nixsecrets.sops.sealing" in loaded
    rooms = {name.split(".")[1] for name in loaded if name.startswith("nixsecrets.")}
    assert "click" not in loaded
    assert rooms == {"age", "errors", "override", "plaintext", "sops", "textedit"}
