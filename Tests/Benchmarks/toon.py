"""Bytes and tokens of the same documents in several formats, the error of the estimate, and the speed of toon-format.

Usage: toon.py NEXA-TOON FILE.ndjson. Tokens are those of the vocabulary o200k_base (PyPI bpe-openai).
"""
import csv
import io
import json
import subprocess
import sys
import time

import bpe_openai
import toon_format

program, path = sys.argv[1:3]
documents = [json.loads(line) for line in open(path, encoding="utf-8")]
vocabulary = bpe_openai.get_encoding("o200k_base")


def count(text):
    # In parts: some encoders take long over one large text. A line is cut from its line break.
    return sum(len(vocabulary.encode(text[i:i + 100_000])) for i in range(0, len(text), 100_000))


def estimate(text):
    run = subprocess.run([program, "estimate"], input=text, capture_output=True, text=True, check=True)
    return int(run.stdout)


def ours(*arguments):
    return subprocess.run([program, "write", path, *arguments], capture_output=True, text=True, check=True).stdout


def cell(value):
    return "; ".join(map(str, value)) if isinstance(value, list) else value


columns = list(dict.fromkeys(key for document in documents for key in document))
table = io.StringIO()
writer = csv.DictWriter(table, columns, lineterminator="\n")
writer.writeheader()
for document in documents:
    writer.writerow({key: cell(value) for key, value in document.items()})

started = time.perf_counter()
theirs = toon_format.encode(documents)
encoding = time.perf_counter() - started
started = time.perf_counter()
toon_format.decode(theirs)
decoding = time.perf_counter() - started

texts = {
    "padded JSON": json.dumps(documents),
    "compact JSON": json.dumps(documents, separators=(",", ":"), ensure_ascii=False),
    "JSON lines": "\n".join(json.dumps(d, separators=(",", ":"), ensure_ascii=False) for d in documents),
    "CSV, lists joined": table.getvalue(),
    "toon-format": theirs,
    "TOON": ours("plain", "comma"),
    "TOON for a prompt": ours("prompt", "comma"),
    "TOON for a prompt, tabs": ours("prompt", "tab"),
}
base = count(texts["compact JSON"])
print(f"{len(documents)} documents; tokens of o200k_base")
print(f"{'':26}{'bytes':>12}{'tokens':>12}{'÷ compact':>12}{'estimate':>12}{'error':>9}")
for name, text in texts.items():
    tokens, guess = count(text), estimate(text)
    print(f"{name:26}{len(text.encode()):12}{tokens:12}{tokens / base:12.3f}{guess:12}{(guess - tokens) / tokens:+9.1%}")
size = len(theirs.encode()) / 1e6
print(f"toon-format (Python): encode {size / encoding:.1f} MB/s, decode {size / decoding:.1f} MB/s")
print(f"toon-format writes the same text: {theirs == texts['TOON']}")
