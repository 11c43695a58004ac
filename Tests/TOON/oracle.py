"""Random values, written by one implementation of TOON and read by the other, in both directions.

Usage: oracle.py NEXA-TOON ROUNDS SEED. Prints what was compared; exits 1 at the first difference.
"""
import json
import random
import subprocess
import sys

import toon_format

program, rounds, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
rng = random.Random(seed)

HARD = ["", " ", "-", "- a", "#", "true", "null", "05", "-0", "+1", "1e6", "1.", ".5", "a,b", "a|b", "a\tb", "a:b", "[]",
        "[2]: a,b", "{}", "a[3]{b}:", "\"", "\\", "\\n", "\n", "\r", "\x00", "\x1f", "\x7f", "\x85", "\xa0x", "\u2028",
        "\ufeffx", "é", "e\u0301", "日本", "😀", "\U0010ffff", " a", "a ", "key: value", "nan", "'", "a.b", "_id", "x-y"]


def text():
    kind = rng.random()
    if kind < 0.3:
        return rng.choice(HARD)
    if kind < 0.4:
        return "".join(rng.choice(HARD) for _ in range(rng.randrange(3)))
    if kind < 0.6:
        codes = (rng.choice([rng.randrange(0x80), rng.randrange(0xD800), rng.randrange(0xE000, 0x110000)])
                 for _ in range(rng.randrange(12)))
        return "".join(map(chr, codes))
    return "".join(rng.choice("abcdefghij klmno.XYZ_09") for _ in range(rng.randrange(12)))


def scalar():
    kind = rng.random()
    if kind < 0.1:
        return None
    if kind < 0.2:
        return rng.random() < 0.5
    if kind < 0.3:
        return rng.randrange(-(2**63), 2**64)
    if kind < 0.4:
        return rng.randrange(-10**6, 10**6) / 100
    if kind < 0.5:
        return rng.random() * 10 ** rng.randrange(-12, 15)
    if kind < 0.6:
        return rng.randrange(1000)
    return text()


def table():
    names = [text() for _ in range(rng.randrange(1, 5))]
    groups = {name: text() if rng.random() < 0.2 else None for name in names}
    rows = [{n: scalar() if groups[n] is None else {groups[n]: scalar()} for n in names}
            for _ in range(rng.randrange(1, 5))]
    if rng.random() < 0.2:
        rows[-1][text()] = value(3)
    return rows


def value(depth=0):
    kind = rng.randrange(2 if depth > 3 else 6)
    if kind < 2:
        return scalar()
    if kind == 2:
        return [value(depth + 1) for _ in range(rng.randrange(5))]
    if kind == 3:
        return {text(): value(depth + 1) for _ in range(rng.randrange(5))}
    if kind == 4:
        return table()
    return {text(): row for row in table()}


def same(left, right):
    """JSON equality; the order of keys does not count, and numbers count by their value."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, (int, float)) and isinstance(right, (int, float)):
        return left == right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    return type(left) is type(right) and left == right


def ask(lines, *arguments):
    run = subprocess.run([program, *arguments], input="\n".join(lines) + "\n", capture_output=True, text=True, check=True)
    answers = [json.loads(line) for line in run.stdout.split("\n")[:-1]]
    assert len(answers) == len(lines), run.stderr
    return answers


compared = texts = 0
while compared < rounds:
    values = [value() for _ in range(min(1000, rounds - compared))]
    delimiter = rng.choice(["comma", "tab", "pipe"])
    ours = ask([json.dumps(v) for v in values], "encode", delimiter)
    for original, (toon,) in zip(values, ours):
        back = toon_format.decode(toon)
        if not same(original, back):
            print(f"FAILED (seed {seed}): {original!r}\nwas written\n{toon}\nand read there as {back!r}")
            sys.exit(1)
    theirs = [toon_format.encode(v) for v in values]
    for original, toon, answer in zip(values, theirs, ask([json.dumps([t]) for t in theirs], "decode")):
        if not answer or not same(original, answer[0]):
            print(f"FAILED (seed {seed}): {original!r}\nwas written there\n{toon}\nand read as {answer!r}")
            sys.exit(1)
    if delimiter == "comma":
        texts += sum(toon == their for (toon,), their in zip(ours, theirs))
    compared += len(values)
print(f"{compared} values compared in both directions, {texts} texts equal byte for byte")
