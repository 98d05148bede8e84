from nixsecrets.errors import RepositoryError


def test_of_a_problem_with_an_endless_name_the_middle_is_left_out() -> None:
    error = RepositoryError(f"the name {'x' * 100_000} is unknown")
    assert len(str(error)) < 400
    assert str(error).startswith("the name xxx")
    assert str(error).endswith("xxx is unknown")


def test_a_problem_of_usual_length_stays_as_it_is() -> None:
    assert str(RepositoryError("x" * 400)) == "x" * 400
