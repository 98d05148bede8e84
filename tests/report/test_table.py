import pytest

from nixsecrets.report.table import Table


@pytest.mark.parametrize("row", [(), ("hq", "nixhq")], ids=["short", "long"])
def test_a_row_has_a_cell_for_each_column(row: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="shorter or longer"):
        Table(("host",), (row,))


def test_columns_have_different_names() -> None:
    with pytest.raises(ValueError, match="share a name"):
        Table(("host", "host"), ())
