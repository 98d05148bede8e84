from nixsecrets.audit.finding import Finding, Severity, sort_findings


def test_errors_come_first_then_path_and_line_as_a_number() -> None:
    def found(severity: Severity, place: str, rule: str = "r") -> Finding:
        return Finding(rule, severity, place, "words")

    ordered = [
        found(Severity.ERROR, "a.nix"),
        found(Severity.ERROR, "a.nix:9"),
        found(Severity.ERROR, "a.nix:10"),
        found(Severity.ERROR, "b.nix", "a"),
        found(Severity.ERROR, "b.nix", "b"),
        found(Severity.WARNING, "a.nix:1"),
    ]
    assert sort_findings(reversed(ordered)) == tuple(ordered)
