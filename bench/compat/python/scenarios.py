"""The written scenarios of the report card (../README.md) for Python's libraries.

A library takes part by a client with the methods that the steps below call, in a driver beside this
file that does nothing but translate. A method that the library has not raises Absent, which leaves
out the step. Every other error fails the scenario.
"""

import argparse
import json
import os
import sys
import threading
import time
from dataclasses import dataclass, field

EXISTS, TOO_LARGE, FENCED = "topic already exists", "record too large", "fenced"
LATEST, EARLIEST = -1, -2
FIRST_TIME = 1_700_000_000_000
READ_WAIT = 20.0
EXTRA_WAIT = 0.7  # how long a record that must not come is waited for
SCENARIO_TIME = 60.0
SETTLE_TIME = 10.0
SESSION_MS, HEARTBEAT_MS, REBALANCE_MS = 6000, 500, 10000
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


class Absent(Exception):
    """The library has no such call."""


@dataclass
class Record:
    """A record as written or as read; None is null."""

    value: bytes | None = None
    key: bytes | None = None
    headers: list = field(default_factory=list)
    partition: int = 0
    offset: int = -1
    timestamp: int | None = None  # in milliseconds


class Run:
    """One scenario under way."""

    def __init__(self, client, prefix):
        self.c, self.prefix, self.without = client, prefix, []

    def name(self, *parts):
        return ".".join([self.prefix, *parts])

    def may(self, step, *args, **kwargs):
        """Takes a step that the library may lack. Returns (taken, what it returned)."""
        try:
            return True, step(*args, **kwargs)
        except Absent as absent:
            if str(absent) not in self.without:
                self.without.append(str(absent))
            return False, None


def check(ok, text):
    if not ok:
        raise AssertionError(text)


def code_of(run, what, call, *args, **kwargs):
    """The code of the error that a call must raise."""
    try:
        call(*args, **kwargs)
    except Exception as error:
        code = run.c.code(error)
        if code is None:
            raise AssertionError(f"{what}: {error!r}") from error
        return code
    raise AssertionError(f"{what} was taken")


def want(got, expected):
    check(len(got) == len(expected), f"read {len(got)} records, want {len(expected)}")
    for i, (g, e) in enumerate(zip(got, expected)):
        check(e.offset < 0 or g.offset == e.offset, f"record {i} has offset {g.offset}, want {e.offset}")
        same = g.key == e.key and g.value == e.value
        check(same, f"record {i} is {str(g)[:80]}, want {str(e)[:80]}")


def codecs(run):
    for codec in CODECS:
        topic = run.name("codecs", codec)
        run.c.create(topic, 1)
        value = "compress me " * 100
        records = [Record(f"v{i}-{value}".encode(), f"k{i}".encode(), offset=i) for i in range(200)]
        taken, _ = run.may(run.c.produce, topic, records, codec=codec)
        if taken:
            want(run.c.read(topic, n=200), records)


def idempotent(run):
    topic = run.name("idempotent")
    run.c.create(topic, 1)
    records = [Record(f"i{i}".encode(), offset=i) for i in range(500)]
    run.c.produce(topic, records, idempotent=True, batch_records=5)
    want(run.c.read(topic, n=500), records)


def transact(run, producer, letter, offset, commit):
    topic = run.name("transactions")
    producer.begin()
    producer.send(topic, [Record(f"{letter}{i}".encode(), partition=i % 2) for i in range(50)])
    if offset is not None:
        run.may(producer.offset, topic, topic, 0, offset)
    producer.commit() if commit else producer.abort()


def transactions(run):
    topic = run.name("transactions")
    run.c.create(topic, 2)
    producer = run.c.transact(topic)
    transact(run, producer, "a", None, True)
    transact(run, producer, "b", 3, False)
    transact(run, producer, "c", 7, True)
    for committed, letters in (True, "ac"), (False, "abc"):
        for partition in range(2):
            expected = [Record(f"{s}{i}".encode()) for s in letters for i in range(partition, 50, 2)]
            got = run.c.read(topic, partition, n=len(expected) + 1, committed=committed, wait=EXTRA_WAIT)
            want(got, expected)
    taken, offset = run.may(run.c.committed, topic, topic, 0)
    check(not taken or offset == 7, f"the committed offset is {offset}, want 7")
    second = run.c.transact(topic)
    code = code_of(run, "a fenced producer", transact, run, producer, "z", None, True)
    check(code == FENCED, f"a fenced producer: {code}")
    second.close()


def by_time(run):
    topic = run.name("time")
    run.c.create(topic, 1, {"retention.ms": "-1"})
    records = [Record(f"t{i}".encode(), offset=i, timestamp=FIRST_TIME + 1000 * i) for i in range(100)]
    run.c.produce(topic, records)
    for at, expected in (50_500, (51,)), (0, (0,)), (1_000_000, (-1, 100)):
        got = run.c.offset_for(topic, 0, FIRST_TIME + at)
        check(got in expected, f"offset for timestamp {FIRST_TIME + at} is {got}, want {expected}")
    got = run.c.read(topic, start=51, n=49)
    want(got, records[51:])
    check(got[0].timestamp == records[51].timestamp, f"record 51 has timestamp {got[0].timestamp}")


def settles(what, ask):
    """Asks until the answer is yes."""
    late = time.monotonic() + SETTLE_TIME
    while not ask():
        check(time.monotonic() < late, f"not within {SETTLE_TIME} s: {what}")
        time.sleep(0.1)


def admin(run):
    c, topic = run.c, run.name("admin")
    settings = {"retention.ms": "3600000", "cleanup.policy": "delete"}
    c.create(topic, 2, settings)
    code = code_of(run, "create again", c.create, topic, 2, settings)
    check(code == EXISTS, f"create again: {code}")
    settles("the topic is listed", lambda: topic in c.topics())
    settles("2 partitions", lambda: c.partitions(topic) == (2, 2))
    described, got = run.may(c.settings, topic)
    if described:
        got = (got["retention.ms"], got["cleanup.policy"])
        check(got == ("3600000", "delete"), f"the settings are {got}")
    altered, _ = run.may(c.alter, topic, "retention.ms", "7200000")
    if altered and described:
        settles("the altered setting", lambda: c.settings(topic)["retention.ms"] == "7200000")
        check(c.settings(topic)["cleanup.policy"] == "delete", "cleanup.policy was changed")
    added, _ = run.may(c.add_partitions, topic, 4)
    if added:
        settles("4 partitions", lambda: c.partitions(topic) == (4, 4))
    c.produce(topic, [Record(f"d{i}".encode()) for i in range(10)])
    deleted, _ = run.may(c.delete_records, topic, 0, 5)
    if deleted:
        start = c.offset_for(topic, 0, EARLIEST)
        check(start == 5, f"the earliest offset is {start}, want 5")
    admin_group(run, topic)
    c.delete_topic(topic)
    settles("the topic is gone", lambda: topic not in c.topics())


def admin_group(run, group):
    c = run.c
    c.commit(group, group, 0, 6)
    run.may(settles, "the group is listed", lambda: group in c.groups())
    taken, got = run.may(c.describe, group)
    check(not taken or (got[0].lower(), got[1]) == ("empty", 0), f"the group is {got}, want Empty without members")
    taken, got = run.may(c.committed, group, group, 0)
    check(not taken or got == 6, f"the committed offset is {got}, want 6")
    taken, _ = run.may(c.delete_group, group)
    if taken:
        run.may(settles, "the group is gone", lambda: group not in c.groups())


def large(run):
    topic = run.name("large")
    run.c.create(topic, 1, {"max.message.bytes": "2097152"})
    cycle = bytes(range(251)) * (3 * (1 << 20) // 251 + 2)
    records = [Record(cycle[i : i + (1 << 20)], offset=i) for i in range(3)]
    run.c.produce(topic, records, batch_records=1, bytes_max=8 << 20)
    want(run.c.read(topic, n=3, fetch_bytes=65536), records)
    huge = [Record(cycle[: 3 << 20])]
    code = code_of(run, "a record of 3 MiB", run.c.produce, topic, huge, batch_records=1, bytes_max=8 << 20)
    check(code == TOO_LARGE, f"a record of 3 MiB: {code}")
    end = run.c.offset_for(topic, 0, LATEST)
    check(end == 3, f"the end offset is {end}, want 3")


def headers(run):
    topic = run.name("headers")
    run.c.create(topic, 1)
    sent = [("a", b"1"), ("a", b"2"), ("b", None), ("c", b""), ("d", b"\x00\xff")]
    if not getattr(run.c, "null_header", True):
        run.without.append("null as a header's value")
        sent.remove(("b", None))
    record = Record(b"h", headers=sent)
    run.c.produce(topic, [record])
    got = run.c.read(topic, n=1)
    want(got, [record])
    check(list(map(tuple, got[0].headers)) == sent, f"headers {got[0].headers}, want {sent}")


def nulls(run):
    topic = run.name("nulls")
    run.c.create(topic, 1)
    records = [Record(b"v"), Record(None, b"k"), Record(), Record(b"", b"")]
    if not getattr(run.c, "null_record", True):
        records.remove(Record())
        run.without.append("record without key and value")
    for i, record in enumerate(records):
        record.offset = i
    run.c.produce(topic, records)
    want(run.c.read(topic, n=len(records)), records)


def partitions(run):
    topic, count = "compat.partitions", 10_000
    got = run.c.partitions(topic)
    check(got == (count, count), f"partitions and leaders: {got}, want {count}")
    record = Record(run.prefix.encode(), partition=count - 1)
    record.offset = run.c.produce(topic, [record])
    want(run.c.read(topic, count - 1, start=record.offset, n=1), [record])


def sealed(run):
    topic, count = "compat.sealed", 4000
    got = run.c.read(topic, n=count)
    padding = b"y" * 500
    want(got, [Record(b"%06d%s" % (i, padding), offset=i) for i in range(count)])
    for i, record in enumerate(got):
        check(record.timestamp == FIRST_TIME + 1000 * i, f"record {i} has timestamp {record.timestamp}")
    for offset in 1500, 3500:
        at = run.c.offset_for(topic, 0, FIRST_TIME + 1000 * offset)
        check(at == offset, f"offset for the time of record {offset} is {at}")


STEPS = {
    "codecs": codecs, "idempotent": idempotent, "transactions": transactions, "time": by_time,
    "admin": admin, "large": large, "headers": headers, "nulls": nulls, "partitions": partitions,
    "sealed": sealed,
}


class Events:
    """Prints what a member sees."""

    def __init__(self):
        self.owned, self.lock = set(), threading.Lock()

    def own(self, partitions):
        with self.lock:
            self.owned = set(partitions)
            emit(event="assigned", partitions=sorted(self.owned))

    def gain(self, partitions):
        self.own(self.owned | set(partitions))

    def lose(self, partitions):
        self.own(self.owned - set(partitions))

    def record(self, partition, offset, value):
        emit(event="record", partition=partition, offset=offset, value=value.decode())


def emit(**line):
    os.write(1, (json.dumps(line) + "\n").encode())


def collect(n, wait, poll):
    """Polls until n records came, or none for wait seconds (READ_WAIT for the first)."""
    got, late = [], time.monotonic() + max(wait, READ_WAIT)
    while len(got) < n and time.monotonic() < late:
        more = poll()
        if more:
            got += more
            late = time.monotonic() + wait
    return got[:n]


def walk(client, scenario, prefix):
    """Walks one scenario in a thread of its own, so that it ends in time, and prints its line."""
    run, begun, outcome = Run(client, prefix), time.monotonic(), []

    def body():
        try:
            STEPS[scenario](run)
            detail = "".join(", no " + each for each in run.without)[2:]
            outcome.append(("pass", detail))
        except Absent as absent:
            outcome.append(("absent", str(absent)))
        except Exception as error:
            text = str(error) if isinstance(error, AssertionError) else repr(error)
            outcome.append(("fail", " ".join(text.split())))

    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    thread.join(SCENARIO_TIME)
    result, detail = outcome[0] if outcome else ("fail", f"did not end within {SCENARIO_TIME} s")
    emit(
        client=client.name, version=client.version, scenario=scenario, result=result, detail=detail,
        ms=int((time.monotonic() - begun) * 1000),
    )


def member(client, args):
    """Is a member until stdin ends."""
    leave = threading.Event()

    def listen():
        while os.read(0, 4096):
            pass
        leave.set()

    threading.Thread(target=listen, daemon=True).start()
    try:
        client.member(args, Events(), leave)
    except Absent as absent:
        emit(event="absent", detail=str(absent))
    except Exception as error:
        emit(event="error", detail=repr(error))
        return 1
    else:
        emit(event="left")
    return 0


def main(connect):
    parser = argparse.ArgumentParser()
    parser.add_argument("--bootstrap", default="127.0.0.1:9092")
    parser.add_argument("--scenario", default="all", choices=["all", "member", *STEPS])
    parser.add_argument("--prefix", default=f"compat-{int(time.time())}")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--group")
    parser.add_argument("--topic")
    parser.add_argument("--client-id", default="member")
    parser.add_argument("--instance")
    parser.add_argument("--assignor", default="range")
    parser.add_argument("--protocol", default="classic")
    args = parser.parse_args()
    client = connect(args.bootstrap)
    code = 0
    if args.scenario == "member":
        code = member(client, args)
    else:
        for scenario in STEPS if args.scenario == "all" else [args.scenario]:
            walk(client, scenario, args.prefix)
    sys.stderr.flush()
    os._exit(code)  # threads of a library that hangs do not keep the driver
