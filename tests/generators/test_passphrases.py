from nixsecrets.generators import passphrases
from nixsecrets.plaintext import Plaintext


def test_a_passphrase_is_words_of_the_list() -> None:
    words = passphrases.passphrase(40, "-").reveal().decode().split("-")
    assert len(words) == 40
    assert set(words) <= set(passphrases.word_list())
    assert len(set(words)) > 20


def test_the_list_is_the_long_one_without_words_that_a_separator_would_tear() -> None:
    words = passphrases.word_list()
    assert (len(words), len(set(words)), words[0], words[-1]) == (7772, 7772, "abacus", "zoom")


def test_each_draw_is_one_word() -> None:
    drawn = iter([0, 7771, 1])
    made = passphrases._passphrase(3, " ", lambda _below: next(drawn))
    assert made == Plaintext(b"abacus zoom abdomen")
