"""The client that people already have (PyPI nexaclient 3.0.0), unchanged, against this server.

Usage: existing_client.py PORT PASSWORD. Prints what was checked; exits 1 at the first difference.
"""
import sys
import threading
import time

import msgpack
from nexaclient import NexaClient

port, password = int(sys.argv[1]), sys.argv[2]
checked = 0


def check(condition, what):
    global checked
    if not condition:
        print(f"FAILED: {what}")
        sys.exit(1)
    checked += 1


def raises(body, part, what):
    try:
        body()
    except Exception as error:  # the client raises bare exceptions
        check(part in str(error), f"{what}: expected {part!r} in {error!r}")
    else:
        check(False, f"{what}: no error")


def client(secret=password):
    return NexaClient(host="127.0.0.1", port=port, username="root", password=secret)


raises(lambda: client("wrong").connect(), "Invalid username or password", "a wrong password is refused")

with client() as db:
    check(db.ping()["status"] == "ok", "ping")

    # Databases.
    db.create_database("shop")
    check("shop" in db.list_databases(), "a new database is listed at once")
    raises(lambda: db.create_database("shop"), "already exists", "a database twice")

    # Collections: the marker by which this client makes one is never visible.
    db.create_collection("films", database="shop")
    check(db.list_collections("shop") == ["films"], "an empty collection is listed")
    check(db.query("films", {}, database="shop") == [], "an empty collection is empty")
    check(db.query("films", {"value": {"$lt": 0}}, database="shop") == [], "no marker matches a filter")
    raises(lambda: db.query("nothing", {}, database="shop"), "does not exist", "an unknown collection")

    # Documents.
    key = db.insert("films", {"title": "Caught", "year": 1900, "cast": ["A", "B"], "o": {"p": [1, 2.5, None, True]}},
                    database="shop")
    check(isinstance(key, str) and len(key) == 32, "an id of 32 hexadecimal digits")
    found = db.get("films", key, database="shop")
    check(found["title"] == "Caught" and found["o"] == {"p": [1, 2.5, None, True]}, "read what was written")
    check(found["_id"] == key and found["_created_at"] == found["_updated_at"], "meta fields")
    check(db.get("films", "nothing", database="shop") is None, "a missing document is None")
    check(db.update("films", key, {"year": 1901, "o": {"q": 1}}, database="shop")["document_id"] == key, "update")
    after = db.get("films", key, database="shop")
    check(after["year"] == 1901 and after["o"] == {"q": 1} and after["title"] == "Caught", "a shallow merge")
    check(after["_created_at"] == found["_created_at"], "_created_at stays")
    raises(lambda: db.update("films", "nothing", {"a": 1}, database="shop"), "Not found", "update of nothing")
    check(db.insert("films", {"_id": "mine", "title": "X"}, database="shop") == "mine", "the client's _id is the key")
    raises(lambda: db.insert("films", {"_id": "mine"}, database="shop"), "already exists", "the same _id twice")
    extremes = {"_id": "extremes", "max": 2**64 - 1, "min": -(2**63), "inf": float("inf"), "text": "日本 😀", "bin": b"\x00\xff"}
    db.insert("films", extremes, database="shop")
    back = db.get("films", "extremes", database="shop")
    check(all(back[k] == v for k, v in extremes.items()), "extreme values survive")

    # Batches.
    ids = db.batch_write("films", [{"_id": f"n{i}", "n": i} for i in range(250)], database="shop")["document_ids"]
    check(ids == [f"n{i}" for i in range(250)], "a batch answers its ids")
    raises(lambda: db.batch_write("films", [{"_id": "new"}, {"_id": "mine"}], database="shop"), "already exists",
           "a batch with a duplicate")
    check(db.get("films", "new", database="shop") is None, "a failed batch writes nothing")

    # Queries.
    check(len(db.query("films", {"n": {"$exists": True}}, database="shop")) == 100, "a hundred unless told")
    check(len(db.query("films", {"n": {"$gte": 200, "$lt": 225}}, limit=1000, database="shop")) == 25, "a range")
    check(len(db.query("films", {"n": {"$in": [1, 2, 3.0]}}, database="shop")) == 3, "$in")
    check(len(db.query("films", {"$or": [{"n": 1}, {"title": "Caught"}]}, database="shop")) == 2, "$or")
    check(len(db.query("films", {"title": {"$regex": "^Cau"}}, database="shop")) == 1, "$regex")
    check(len(db.query("films", {"cast": "B"}, database="shop")) == 1, "an array matches by its elements")
    check(len(db.query("films", {"n": {"$gt": "text"}}, database="shop")) == 0, "another type is no match")
    raises(lambda: db.query("films", {"n": {"$near": 1}}, database="shop"), "$near", "an unknown operator is named")
    check(len(db._send_message(0x06, {"collection": "films", "database": "shop", "limit": 0})["documents"]) == 253,
          "limit 0 is no limit")
    check(db.get_database_stats("shop")["documents_count"] == 253, "counted by the client, no marker among them")

    # TOON.
    toon = db.query("films", {"n": {"$lt": 3}}, database="shop", format="toon")
    check(toon.startswith("collection: films\ndocuments[3]{_id,_created_at,_updated_at,n}:\n  n0,"), "a table as TOON")
    check(toon.endswith("\ncount: 3"), "the envelope of TOON")
    exported = db.export_toon("films", database="shop")
    check(exported["count"] == 253 and "exported_at: " in exported["data"].splitlines()[-1], "an export as TOON")
    check({"json_size", "toon_size", "reduction_percent", "estimated_cost_savings"} <= exported["token_stats"].keys(),
          "statistics of TOON")
    check(exported["token_stats"]["toon_size"] == len(exported["data"]), "characters are counted")
    back = db._send_message(0x0D, {"collection": "again", "database": "shop", "toon_data": exported["data"]})
    check(back["imported"] == 253 and back["replaced"] is False, "an import of TOON")
    check(back["message"] == "Successfully imported 253 documents from TOON format", "the words of an import")
    check(db.get("again", "n7", database="shop")["n"] == 7, "imported documents keep their ids")
    db.drop_collection("again", database="shop")

    # Change streams: this client wants a connection of its own for them, and tells nobody when it is subscribed.
    with client() as watcher:
        seen = []

        def watch():
            for event in watcher.watch(operations=["insert", "update", "delete", "dropCollection"]):
                seen.append(event)
                if event.get("documentKey") == {"_id": "last"}:
                    break

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        while not seen and thread.is_alive():
            db.insert("probes", {"n": 1})
            time.sleep(0.01)
        db.insert("films", {"_id": "watched", "title": "Suspense"}, database="shop")
        db.update("films", "watched", {"year": 1913}, database="shop")
        db.delete("films", "watched", database="shop")
        db.batch_write("films", [{"_id": f"b{i}", "text": "x" * 50_000} for i in range(20)], database="shop")
        db.drop_collection("probes")
        db.insert("films", {"_id": "last"}, database="shop")
        thread.join(20)
        check(not thread.is_alive(), "the events arrive")
        events = [e for e in seen if e["ns"]["coll"] == "films"]
        check(all(e["ns"] == {"db": "nexadb", "coll": "films"} for e in events), "the namespace of old")
        check(all(abs(e["timestamp"] - time.time()) < 60 for e in seen), "seconds since 1970")
        check([e["operationType"] for e in events[:3]] == ["insert", "update", "delete"], "in order")
        check(events[0]["fullDocument"]["title"] == "Suspense", "the document")
        check(events[1]["updateDescription"] == {"updatedFields": {"year": 1913}}, "what was updated")
        check(events[1]["fullDocument"]["title"] == "Suspense", "the document after the update")
        check("fullDocument" not in events[2] and events[2]["documentKey"] == {"_id": "watched"}, "a deletion")
        check([e["documentKey"]["_id"] for e in events[3:]] == [f"b{i}" for i in range(20)] + ["last"], "a batch")
        check(seen[-2]["operationType"] == "dropCollection" and "documentKey" not in seen[-2], "a drop")

    # The end.
    check(db.delete("films", key, database="shop")["message"] == "Document deleted", "delete")
    check(db.get("films", key, database="shop") is None, "a deleted document is gone")
    raises(lambda: db.delete("films", key, database="shop"), "Not found", "delete twice")
    check(db.drop_collection("films", database="shop")["message"] == "Collection dropped", "drop a collection")
    check(db.list_collections("shop") == [], "a dropped collection is not listed")
    db.drop_database("shop")
    check("shop" not in db.list_databases(), "a dropped database is not listed")
    raises(lambda: db.drop_database("default"), "Cannot drop", "default stays")

    # Vectors, as the old client sends them.
    db.create_collection("embeddings", dimensions=3)
    for name, vector in (("a", [1, 0, 0]), ("b", [0.5, 0.5, 0]), ("c", [-1.0, 0, 0])):
        db.insert("embeddings", {"name": name, "vector": vector})
    found = db.vector_search("embeddings", [1.0, 0.0, 0.0], limit=3)
    check([hit["document"]["name"] for hit in found] == ["a", "b", "c"], "best first")
    check(abs(found[0]["similarity"] - 1) < 1e-6 and abs(found[2]["similarity"] + 1) < 1e-6, "the cosine")
    check(all("vector" not in hit["document"] for hit in found), "results come without the vector")
    check(found[0]["document_id"] == found[0]["document"]["_id"], "the id of a result")
    found = db.vector_search("embeddings", [1.0, 0.0, 0.0], limit=1, filters={"name": "c"})
    check([hit["document"]["name"] for hit in found] == ["c"], "a filter acts inside the search")
    built = db.build_hnsw_index("embeddings", M=8, ef_construction=100)
    check(built["status"] == "success" and built["num_vectors"] == 3, "an index is built")
    raises(lambda: db.insert("embeddings", {"vector": [1, 2]}), "Vector dimension mismatch", "a wrong length")
    raises(lambda: db.vector_search("embeddings", [1.0]), "Query vector must have 3 dimensions", "a short query")
    raises(lambda: db.build_hnsw_index("films"), "No vectors found in collection 'films'", "nothing to build")
    vectors = db._send_message(0x23, {"database": "default"})
    check(vectors["total_vectors"] == 3 and vectors["collections"]["embeddings"]["dimensions"] == 3, "all vectors")

print(f"existing client: {checked} checks passed")
