"""The checkers of tests/exactly_once/check.py see what they are there for."""
import check


def notices(word, checker, *arguments):
    try:
        checker(*arguments)
    except AssertionError as error:
        assert word in str(error), f"`{word}` is not in: {error}"
        return
    raise AssertionError(f"{checker.__name__} saw nothing wrong in {arguments}")


def numbered(rows):
    sequences = check.Sequences("rows")
    for key, number in rows:
        sequences.row(key, number)


def test_rows_that_are_lost_repeated_or_moved(env):
    numbered([("a", 1), ("b", 1), ("a", 2)])
    notices("lost", numbered, [("a", 1), ("a", 3)])
    notices("repeated", numbered, [("a", 1), ("a", 2), ("a", 2)])
    notices("out of order", check.rising, "rows", [("a", 2), ("b", 1), ("a", 1)])
    check.same_rows("rows", [1, 2, 2], [2, 1, 2])
    notices("1 rows lost", check.same_rows, "rows", [1, 2], [1, 2, 3])
    notices("1 too many", check.same_rows, "rows", [1, 2, 2], [1, 2])


def test_a_bank_that_loses_or_makes_money(env):
    good = [(1, "a", -5), (1, "b", 5), (2, "b", -3), (2, "a", 3)]
    check.bank("bank", good, 2)
    notices("lost", check.bank, "bank", good[:2], 2)
    notices("one debit and one credit", check.bank, "bank", good[:3], 2)
    notices("one debit and one credit", check.bank, "bank", [*good, good[0]], 2)
    notices("one debit and one credit", check.bank, "bank", [*good[:3], (2, "a", 4)], 2)


def test_epochs_that_are_torn_or_repeated(env):
    epoch = [{"lane": "0", "epoch": "4", "part": "0", "index": str(i), "size": "3"} for i in range(3)]
    check.whole_epochs("topic", epoch)
    notices("1 rows lost", check.whole_epochs, "topic", epoch[:2])
    notices("3 too many", check.whole_epochs, "topic", [*epoch, *epoch])
