#!/usr/bin/env python3
"""Reads sealed segments and prints them as JSON lines, checking every checksum on the way.

Written from FORMAT.md alone, with the standard library alone. Usage: read_segment.py FILE...
Batches compressed with anything but gzip are described without their records.
Exit code 1 with one line on stderr if the file breaks the format.
"""
import json
import struct
import sys
import zlib

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
TRAILER, MAGIC, VERSION = 32, b"VRVS", 1
META, OFFSETS, TIMES, EPOCHS, ABORTED, PRODUCERS, FILTER, BLOCKS = range(1, 9)


def crc_table():
    for n in range(256):
        for _ in range(8):
            n = (n >> 1) ^ (0x82F63B78 if n & 1 else 0)
        yield n


TABLE = list(crc_table())


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def check(ok, what):
    if not ok:
        raise ValueError(what)


def entries(fmt, data):
    check(len(data) % struct.calcsize(fmt) == 0, "section of odd size")
    return [list(e) for e in struct.iter_unpack(fmt, data)]


def read_sections(obj):
    check(len(obj) >= TRAILER, "no room for a trailer")
    data_size, footer_size, directory, count, version, _, crc, magic = struct.unpack(
        ">QIIHHII4s", obj[-TRAILER:])
    check(magic == MAGIC, "wrong magic")
    check(version == VERSION, "unknown version %d" % version)
    check(data_size + footer_size == len(obj), "sizes do not add up")
    check(directory + 16 * count + TRAILER == footer_size, "directory is misplaced")
    footer = obj[data_size:]
    check(crc32c(footer[directory:-8]) == crc, "directory fails its checksum")
    sections = {}
    for kind, flags, start, size, crc in struct.iter_unpack(
            ">HHIII", footer[directory:-TRAILER]):
        check(start + size <= directory, "section %d is outside" % kind)
        section = footer[start:start + size]
        check(crc32c(section) == crc, "section %d fails its checksum" % kind)
        check(kind not in sections, "section %d is there twice" % kind)
        check(1 <= kind <= BLOCKS or not flags & 1, "section %d is not known" % kind)
        sections[kind] = section
    for kind in (META, OFFSETS, TIMES, BLOCKS):
        check(kind in sections, "section %d is missing" % kind)
    return obj[:data_size], footer_size, version, sections


def read_producers(section):
    producers, at = [], 0
    while at < len(section):
        pid, epoch, count, *state, _ = struct.unpack_from(">qhHiqqqiI", section, at)
        at += 48
        check(count <= 5 and at + 32 * count <= len(section), "producer state is cut short")
        producers.append([pid, epoch, *state, entries(">iiqqq", section[at:at + 32 * count])])
        at += 32 * count
    return producers


def describe(data, footer_size, version, s):
    (topic, partition, epoch, base, end, records, batches, low, high, flags,
     size) = struct.unpack_from(">16siiqqqqqqII", s[META])
    index = entries(">II", s[OFFSETS])
    times = [t for t, in entries(">q", s[TIMES])]
    check(len(index) == len(times), "indexes differ in length")
    return {
        "topic": topic.hex(), "partition": partition, "leader_epoch": epoch,
        "base_offset": base, "next_offset": end, "records": records, "batches": batches,
        "min_timestamp": low, "max_timestamp": high,
        "has_control": bool(flags & 1), "has_gaps": bool(flags & 2),
        "cluster": s[META][80:80 + size].decode(),
        "data_bytes": len(data), "footer_bytes": footer_size, "version": version,
        "epochs": entries(">iq", s.get(EPOCHS, b"")),
        "aborted": entries(">qqqq", s.get(ABORTED, b"")),
        "producers": read_producers(s.get(PRODUCERS, b"")),
        "index": [[base + o, p, t] for (o, p), t in zip(index, times)],
        "key_filter": FILTER in s,
    }


def check_blocks(data, section):
    size, = struct.unpack_from(">I", section)
    sums = [c for c, in entries(">I", section[4:])]
    check(len(sums) == -(-len(data) // size), "wrong number of block checksums")
    for i, want in enumerate(sums):
        check(crc32c(data[i * size:(i + 1) * size]) == want, "block %d fails its checksum" % i)
    return size


class Records:
    """A cursor over the bytes of records."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        check(0 <= n <= len(self.data) - self.at, "record is cut short")
        self.at += n
        return self.data[self.at - n:self.at]

    def varint(self):
        n = shift = 0
        while True:
            byte = self.take(1)[0]
            n |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return (n >> 1) ^ -(n & 1)

    def field(self):
        n = self.varint()
        return None if n == -1 else self.take(n).hex()

    def record(self, base, base_time, append_time):
        end = self.varint() + self.at
        self.take(1)
        time, offset = base_time + self.varint(), base + self.varint()
        record = {
            "offset": offset, "timestamp": time if append_time is None else append_time,
            "key": self.field(), "value": self.field(),
            "headers": [[self.take(self.varint()).decode(), self.field()]
                        for _ in range(self.varint())],
        }
        check(self.at == end, "record has another length")
        return record


def read_batches(data):
    at = 0
    while at < len(data):
        check(len(data) - at >= 61, "batch at %d is cut short" % at)
        (base, length, epoch, magic, crc, attributes, delta, base_time, max_time, pid,
         pepoch, sequence, count) = struct.unpack_from(">qiibIhiqqqhii", data, at)
        batch = data[at:at + 12 + length]
        check(magic == 2 and len(batch) == 12 + length >= 61, "batch at %d is broken" % at)
        check(crc32c(batch[21:]) == crc, "batch at %d fails its checksum" % at)
        codec = CODECS[attributes & 7]
        yield {"batch": {
            "position": at, "base_offset": base, "last_offset": base + delta,
            "leader_epoch": epoch, "codec": codec, "append_time": bool(attributes & 8),
            "transactional": bool(attributes & 16), "control": bool(attributes & 32),
            "max_timestamp": max_time, "producer": [pid, pepoch, sequence], "records": count}}
        at += len(batch)
        if codec not in ("none", "gzip"):
            continue
        raw = batch[61:] if codec == "none" else zlib.decompress(batch[61:], 31)
        records = Records(raw)
        for _ in range(count):
            yield records.record(base, base_time, max_time if attributes & 8 else None)
        check(records.at == len(raw), "bytes after the last record")


def main(path):
    with open(path, "rb") as f:
        data, footer_size, version, sections = read_sections(f.read())
    segment = describe(data, footer_size, version, sections)
    segment["block_bytes"] = check_blocks(data, sections[BLOCKS])
    print(json.dumps({"segment": segment}))
    for line in read_batches(data):
        print(json.dumps(line))


if __name__ == "__main__":
    for path in sys.argv[1:]:
        try:
            main(path)
        except (ValueError, IndexError, struct.error, zlib.error, OSError) as e:
            sys.exit("%s: %s" % (path, e))
