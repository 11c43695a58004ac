"""Compares the engine with mongomock: `oracle.py PROGRAM DIRECTORY ROUNDS SEED`.

A round is 20 documents and 10 questions. What differs and is not in `known.py` is printed and fails the run.
"""
import json
import subprocess
import sys

import mongomock

import known
from generator import Generator


INDEXED = ["a", "b", "c", "d.a", "e.b", "l", "s", "w", "x"]


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
        self.database = mongomock.MongoClient().db
        self.collection = self.database.c

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
            if question["documents"]:
                collection.insert_many(json.loads(json.dumps(question["documents"])))
            return 1
        if command == "find":
            # A copy, because mongomock takes the operators out of it.
            cursor = collection.find(question["filter"], dict(question["projection"]) or None)
            cursor = cursor.sort([tuple(key) for key in question["sort"]])
            return list(cursor.skip(question["skip"]).limit(question["limit"]))
        if command == "update":
            return collection.update_many(question["filter"], question["update"]).matched_count
        if command == "delete":
            return collection.delete_many(question["filter"]).deleted_count
        if command == "aggregate":
            return list(collection.aggregate(question["pipeline"]))
        if command == "out":
            collection.aggregate(question["pipeline"])
            return list(self.database.o.find().sort([("_id", 1)]))
        if command == "distinct":
            return collection.distinct(question["field"], question["filter"])
        if command == "all":
            return list(collection.find())
        raise ValueError(command)


def write(engine, oracle, generator, number):
    """Changes documents on both sides; returns 1 when they differ afterwards. Both have the same ones at the end."""
    question = generator.write()
    before = engine.ask({"cmd": "all"})["ok"]
    ours, theirs = engine.ask(question), oracle.ask(question)
    mine, other = engine.ask({"cmd": "all"})["ok"], oracle.ask({"cmd": "all"})["ok"]
    key = lambda document: document["_id"]
    if "ok" in ours and "ok" in theirs and not same(sorted(mine, key=key), sorted(other, key=key)):
        if not known.explains(question, before, ours, theirs):
            print("round", number, "write", json.dumps(question), ours, theirs)
            for one, two in zip(sorted(mine, key=key), sorted(other, key=key)):
                if not same(one, two):
                    old = [document for document in before if document["_id"] == one["_id"]]
                    print("  before", json.dumps(old), "\n  engine", json.dumps(one), "\n  oracle", json.dumps(two))
                    break
            result = 1
        else:
            result = 0
    else:
        # What one side refuses has to be refused by the other, unless that one stumbled.
        result = 0
        if ("error" in ours) != ("error" in theirs) and not ("error" in theirs and known.fails(theirs["error"])):
            if not known.explains(question, before, ours, theirs):
                print("round", number, "write", json.dumps(question), ours, theirs)
                result = 1
    oracle.ask({"cmd": "reset", "documents": mine})
    return result


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
        if number % 2:
            # Every other round with indexes, which must not change any answer.
            engine.ask({"cmd": "index", "fields": generator.random.sample(INDEXED, 3)})
        for turn in range(12):
            if turn in (4, 8):
                differences += write(engine, oracle, generator, number)
                asked += 1
            question = generator.question()
            asked += 1
            ours, theirs = engine.ask(question), oracle.ask(question)
            stages = json.dumps(question.get("pipeline", ""))
            if question["cmd"] == "distinct" or "$group" in stages or (
                    question["cmd"] == "aggregate" and "$sort" not in stages):
                # In any order: what is not sorted may come as an index has it.
                for answer in (ours, theirs):
                    if "ok" in answer:
                        answer["ok"].sort(key=lambda value: json.dumps(value, sort_keys=True, default=str))
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
