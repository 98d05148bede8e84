from nixsecrets.nix.paths import follow

MOVES = {"systems/hq": "systems/box", "systems/hq/x.nix": "systems/box/x.nix"}


def test_literals_lead_where_the_files_went_and_nothing_else_changes() -> None:
    source = """# ./systems/hq, ä
{ a = ./systems/hq; b = [ ./systems/hq/x.nix ./systems/hq2 "./systems/hq" ]; }
"""
    assert (
        follow(source.encode(), ("", ""), MOVES).decode()
        == """# ./systems/hq, ä
{ a = ./systems/box; b = [ ./systems/box/x.nix ./systems/hq2 "./systems/hq" ]; }
"""
    )


def test_a_source_that_moves_along_keeps_what_moves_along() -> None:
    source = b"{ imports = [ ./x.nix ../../shared/base.nix ../hq/x.nix ]; }"
    folders = ("systems/hq", "systems/box")
    wanted = b"{ imports = [ ./x.nix ../../shared/base.nix ./x.nix ]; }"
    assert follow(source, folders, MOVES) == wanted
