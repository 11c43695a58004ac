"""Compares the engine with mongomock: `oracle.py PROGRAM DIRECTORY ROUNDS SEED`.

A round is 20 documents and 10 questions. What differs and is not in `known.py` is printed and fails the run.
"""
import json
import subprocess
import sys

import mongomock

import known
from generator import Generator


class Engine:
    def __init__(self, program, directory):
        self.process = subprocess.Popen(
            [program, directory], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, question):
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("the engine ended at " + json.dumps(question))
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def same(left, right):
    """Equal as MongoDB sees it: 1 is 1.0, but not true; the order of fields does not count."""
    if isinstance(left, bool) or isinstance(right, bool):
        return isinstance(left, bool) and isinstance(right, bool) and left == right
    if isinstance(left, (int, float)) and isinstance(right, (int, float)):
        return left == right or abs(left - right) <= 1e-9 * max(abs(left), abs(right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(same(one, other) for one, other in zip(left, right))
    return type(left) is type(right) and left == right


class Oracle:
    def __init__(self):
        self.collection = mongomock.MongoClient().db.c

    def ask(self, question):
        try:
            return {"ok": self.answer(question)}
        except Exception as error:  # mongomock raises whatever it meets
            return {"error": type(error).__name__ + ": " + str(error)}

    def answer(self, question):
        collection = self.collection
        command = question["cmd"]
        if command == "reset":
            collection.drop()
            collection.insert_many(json.loads(json.dumps(question["documents"])))
            return 1
        if command == "find":
            cursor = collection.find(question["filter"], question["projection"] or None)
            cursor = cursor.sort([tuple(key) for key in question["sort"]])
            return list(cursor.skip(question["skip"]).limit(question["limit"]))
        if command == "all":
            return list(collection.find())
        raise ValueError(command)


def main():
    program, directory, rounds, seed = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    engine, oracle = Engine(program, directory), Oracle()
    asked = unanswered = compared = explained = differences = 0
    for number in range(rounds):
        generator = Generator(seed * 1_000_003 + number)
        documents = generator.documents()
        reset = {"cmd": "reset", "documents": documents}
        engine.ask(reset)
        oracle.ask(reset)
        for _ in range(10):
            question = generator.question()
            asked += 1
            ours, theirs = engine.ask(question), oracle.ask(question)
            if "error" in theirs and ("error" in ours or known.fails(theirs["error"])):
                unanswered += 1
                continue
            compared += 1
            if "ok" in ours and "ok" in theirs and same(ours["ok"], theirs["ok"]):
                continue
            if known.explains(question, documents, ours, theirs):
                explained += 1
                continue
            differences += 1
            if differences <= 10:
                print("round", number, "of seed", seed)
                print("  question", json.dumps(question))
                print("  engine  ", json.dumps(ours)[:1000])
                print("  oracle  ", json.dumps(theirs, default=str)[:1000])
                if "ok" in ours and "ok" in theirs and "--documents" in sys.argv:
                    print("  documents", json.dumps(documents))
    engine.close()
    print(
        f"{asked} questions, {unanswered} without an answer of the oracle, {compared} answers compared, "
        f"{explained} explained, {differences} differences")
    sys.exit(1 if differences else 0)


main()
