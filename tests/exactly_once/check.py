"""What exactly-once output must look like, whoever wrote it. Each check raises AssertionError at the first offence."""
import json
import subprocess
import threading
from collections import Counter


class Sequences:
    """Rows of a key carry 1, 2, 3, ..: anything lost, repeated or moved breaks the count. Fed row by row, so that it
    holds at every moment for what a reader has seen: only prefixes of the whole."""

    def __init__(self, where: str):
        self.where, self.last, self.rows = where, {}, 0

    def row(self, key, number: int):
        expected = self.last.get(key, 0) + 1
        kind = "lost" if number > expected else "repeated or out of order"
        assert number == expected, f"{self.where}: {key} has {number} after {expected - 1}: {kind}"
        self.last[key] = number
        self.rows += 1


def same_rows(where: str, found, expected):
    """Both as hashable rows; each as often as the other has it."""
    found, expected = Counter(found), Counter(expected)
    lost, more = expected - found, found - expected
    assert not lost and not more, (f"{where}: {sum(lost.values())} rows lost, such as {list(lost)[:2]}; "
                                   f"{sum(more.values())} too many, such as {list(more)[:2]}")


def rising(where: str, rows):
    """rows: (key, number); per key the number rises."""
    last = {}
    for key, number in rows:
        assert number > last.get(key, number - 1), f"{where}: {key} has {number} after {last[key]}: out of order"
        last[key] = number


def bank(where: str, entries, transfers: int):
    """entries: (transfer, account, amount). Each transfer takes an amount from one account and gives it to another,
    once; so the total never changes."""
    sides = {}
    for transfer, account, amount in entries:
        sides.setdefault(transfer, []).append((account, amount))
    lost = transfers - len(sides)
    assert lost == 0, f"{where}: {lost} of {transfers} transfers lost"
    for transfer, pair in sides.items():
        whole = len(pair) == 2 and pair[0][0] != pair[1][0] and pair[0][1] + pair[1][1] == 0
        assert whole, f"{where}: transfer {transfer} is not one debit and one credit: {pair}"


def whole_epochs(where: str, records):
    """records: headers of a topic's records as a sink writes them with `headers: {epoch: true}`. Each part of an epoch
    is there whole and once; of an aborted attempt nothing is seen."""
    parts = {}
    for headers in records:
        place = tuple(int(headers[name]) for name in ("lane", "epoch", "part"))
        parts.setdefault(place, []).append((int(headers["index"]), int(headers["size"])))
    for place, rows in parts.items():
        same_rows(f"{where}, lane, epoch, part {place}", (index for index, _ in rows), range(rows[0][1]))
    return parts


class Follower:
    """A read_committed consumer beside the job; every record goes through `check` as it comes."""

    def __init__(self, tool: str, brokers: str, topic: str, check):
        self.check, self.offence, self.records = check, None, 0
        self.process = subprocess.Popen([tool, "consume", brokers, topic, "follow"], stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        for line in self.process.stdout:
            try:
                self.check(json.loads(json.loads(line)["value"]))
            except AssertionError as offence:
                self.offence = self.offence or offence
            self.records += 1

    def close(self):
        self.process.kill()
        self.thread.join()
        if self.offence:
            raise self.offence
