#if canImport(NexaServer)
    import NexaClient
    import NexaServer
    import NexaTestSupport
    import NexaValue
    import TestKit
    import Testing

    extension ClientTests {
        @Suite struct Updates {
            struct Page: NexaModel, Equatable {
                var _id: DocumentID
                var visits: Int
                var tags: [String]?
                enum Fields {
                    static let visits = Field<Int>("visits")
                }
            }

            private func withPages(
                _ body: @escaping @Sendable (NexaClient, NexaCollection<Page>) async throws -> Void
            ) async throws {
                try await LiveServer.run { client in
                    let pages = client.database().collection("pages", of: Page.self)
                    try await pages.insert(
                        contentsOf: (0..<10).map { Page(_id: DocumentID("p\($0)"), visits: $0, tags: nil) })
                    try await body(client, pages)
                }
            }

            @Test func operatorsComposeAndChangeOneDocument() async throws {
                try await withPages { client, pages in
                    #expect(
                        try await pages.update(
                            "p1", .inc("visits", 10).push("tags", contentsOf: ["b", "a"], sort: 1, slice: 5)))
                    #expect(try await pages["p1"] == Page(_id: "p1", visits: 11, tags: ["a", "b"]))
                    #expect(try await pages.update("p1", ["$pull": ["tags": "a"], "$mul": ["visits": 2]]))
                    #expect(try await pages["p1"] == Page(_id: "p1", visits: 22, tags: ["b"]))
                    #expect(try await pages.update("p1", .set(Page.Fields.visits, 5).addToSet("tags", "b")))
                    #expect(try await pages["p1"] == Page(_id: "p1", visits: 5, tags: ["b"]))
                    #expect(try await pages.update("p1", .set("tags.$[t]", "c").arrayFilter(["t": "b"])))
                    #expect(try await pages["p1"]?.tags == ["c"])
                    #expect(try await pages.update("p1", .set("tags", ["x", "y"])))
                    #expect(try await pages.update("p1", .pullAll("tags", ["y", "z"])))
                    #expect(try await pages["p1"]?.tags == ["x"])
                    #expect(try await pages.update("p1", .unset("tags")))
                    #expect(try await pages["p1"]?.tags == nil)
                    #expect(try await !pages.update("nobody", .inc("visits", 1)))
                    let free = client.database().collection("pages")
                    try await free.update(
                        "p2",
                        .set("a.b", 1).currentDate("seen").rename("visits", to: "hits")
                            .set("born", Timestamp(seconds: 5)).push("list", ["k": 1] as Document))
                    let document = try #require(try await free["p2"])
                    #expect(document["born"] == .timestamp(Timestamp(seconds: 5)) && document["list"] == [["k": 1]])
                    #expect(document["a"] == ["b": 1] && document["hits"] == 2 && document["visits"] == nil)
                }
            }

            @Test func whatIsNoUpdateIsRefused() async throws {
                try await withPages { _, pages in
                    for update in [Update([:]), ["visits": 1], ["$foo": ["visits": 1]], .inc("_id", 1)] {
                        let error = await #expect(throws: NexaError.self) { try await pages.update("p1", update) }
                        #expect(error?.code == .invalidRequest)
                    }
                    let error = await #expect(throws: NexaError.self) {
                        try await pages.updateMany(.all, .push("visits", 1))
                    }
                    #expect(error?.serverMessage?.contains("must be an array but is of type integer") == true)
                    let visits = try await pages.find().collect().map(\.visits)
                    #expect(visits == Array(0..<10))
                }
            }

            @Test func manyDocumentsByFilter() async throws {
                try await withPages { _, pages in
                    let result = try await pages.updateMany(Page.Fields.visits >= 5, .inc(Page.Fields.visits, 100))
                    #expect(result == UpdateResult(matched: 5, modified: 5))
                    let one = try await pages.updateOne(Page.Fields.visits >= 100, .set("visits", 7))
                    #expect(one == UpdateResult(matched: 1, modified: 1))
                    let same = try await pages.updateOne(["_id": "p5"], .set("visits", 7))
                    #expect(same == UpdateResult(matched: 1, modified: 0))
                    let made = try await pages.updateOne(
                        ["_id": "new"], .inc("visits", 3).setOnInsert("tags", ["x"]), upsert: true)
                    #expect(made.upsertedID == "new" && made.matched == 0)
                    #expect(try await pages["new"] == Page(_id: "new", visits: 3, tags: ["x"]))
                    #expect(try await pages.deleteOne(["_id": "new"]))
                    #expect(try await !pages.deleteOne(["_id": "new"]))
                    #expect(try await pages.deleteMany(Page.Fields.visits >= 100) == 4)
                    #expect(try await pages.count() == 6)
                    #expect(try await pages.deleteMany(.all) == 6)
                }
            }

            @Test func replacements() async throws {
                try await withPages { client, pages in
                    let new = Page(_id: "p1", visits: 1000, tags: ["n"])
                    #expect(try await pages.replace("p1", with: new) == UpdateResult(matched: 1, modified: 1))
                    #expect(try await pages["p1"] == new)
                    let other = Page(_id: "q", visits: 1, tags: nil)
                    #expect(try await pages.replace("q", with: other) == UpdateResult(matched: 0, modified: 0))
                    #expect(try await pages.replace("q", with: other, upsert: true).upsertedID == "q")
                    await #expect(throws: NexaError.self) { try await pages.replaceOne(["visits": 1000], with: other) }
                    // An integer _id is found by its text.
                    let numbers = client.database().collection("numbers")
                    try await numbers.insert(["_id": 5, "a": 1])
                    #expect(try await numbers.replace("5", with: ["b": 2]).modified == 1)
                    #expect(try await numbers["5"]?["b"] == 2)
                }
            }

            @Test func oneDocumentIsFoundAndChanged() async throws {
                try await withPages { _, pages in
                    let before = try await pages.findOneAndUpdate(
                        .all, .inc("visits", 1), sort: [Page.Fields.visits.descending])
                    #expect(before?.visits == 9)
                    let after = try await pages.findOneAndUpdate(["_id": "p9"], .inc("visits", 1), returning: .after)
                    #expect(after?.visits == 11)
                    #expect(try await pages.findOneAndUpdate(["_id": "no"], .inc("visits", 1)) == nil)
                    let new = Page(_id: "p0", visits: -1, tags: nil)
                    #expect(try await pages.findOneAndReplace(["_id": "p0"], with: new)?.visits == 0)
                    #expect(try await pages.findOneAndDelete(.all, sort: [Page.Fields.visits.ascending]) == new)
                    #expect(try await pages.findOneAndDelete(["_id": "p0"]) == nil)
                }
            }

            @Test func aQueueOfManyConsumersGivesEachItemOnce() async throws {
                try await withPages { client, pages in
                    try await pages.insert(
                        contentsOf: (10..<200).map { Page(_id: DocumentID("p\($0)"), visits: $0, tags: nil) })
                    let taken = Collector<DocumentID>()
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for _ in 0..<8 {
                            group.addTask {
                                while let page = try await pages.findOneAndDelete(
                                    .all, sort: [Page.Fields.visits.ascending])
                                {
                                    taken.add(page._id)
                                }
                            }
                        }
                        try await group.waitForAll()
                    }
                    #expect(taken.count == 200 && Set(taken.all).count == 200)
                }
            }

            @Test func noIncrementOfManyClientsIsLost() async throws {
                try await withPages { _, pages in
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for worker in 0..<16 {
                            group.addTask {
                                for _ in 0..<20 {
                                    if worker.isMultiple(of: 2) {
                                        try await pages.update("p0", .inc("visits", 1))
                                    } else {
                                        try await pages.updateMany(["_id": ["$in": ["p0", "p1"]]], .inc("visits", 1))
                                    }
                                }
                            }
                        }
                        try await group.waitForAll()
                    }
                    #expect(try await pages["p0"]?.visits == 320)
                    #expect(try await pages["p1"]?.visits == 161)
                }
            }

            @Test func bulksTellWhatBecameOfEachWrite() async throws {
                try await withPages { _, pages in
                    let result = try await pages.bulk { bulk in
                        bulk.insert(Page(_id: "n", visits: 1, tags: nil))
                        bulk.update("p0", .inc("visits", 5))
                        bulk.updateMany(Page.Fields.visits >= 8, .inc("visits", 1))
                        bulk.replace("p1", with: Page(_id: "p1", visits: 50, tags: nil))
                        bulk.update("fresh", .set("visits", 4), upsert: true)
                        bulk.delete("p2")
                        bulk.deleteMany(["visits": ["$in": [3, 4]]])
                    }
                    #expect(result.firstError == nil && result.succeeded == 7)
                    #expect(result.insertedIDs == ["n", "fresh"])
                    #expect(result.modified == 4 && result.deleted == 4)
                    let failing: (inout BulkWrite<Page>) -> Void = { bulk in
                        bulk.update("p5", .inc("visits", 1))
                        bulk.insert(Page(_id: "p5", visits: 1, tags: nil))
                        bulk.update("p5", .inc("visits", 1))
                    }
                    let ordered = try await pages.bulk { failing(&$0) }
                    #expect(ordered.succeeded == 1 && ordered.firstError?.code == .duplicateID)
                    guard case .failure(let error) = ordered.outcomes[2] else {
                        Issue.record("it was made")
                        return
                    }
                    #expect(error.delivery == .notSent)
                    let unordered = try await pages.bulk(ordered: false) { failing(&$0) }
                    #expect(unordered.succeeded == 2)
                    #expect(try await pages["p5"]?.visits == 8)
                    let refusal = await #expect(throws: NexaError.self) {
                        try await pages.bulk(atomic: true) { failing(&$0) }
                    }
                    #expect(refusal?.code == .duplicateID)
                    #expect(refusal?.serverMessage?.contains("nothing was written") == true)
                    #expect(try await pages["p5"]?.visits == 8)
                    let atomic = try await pages.bulk(atomic: true) { bulk in
                        bulk.update("p5", .inc("visits", 1))
                        bulk.update("p6", .inc("visits", 1))
                    }
                    #expect(atomic.modified == 2)
                }
            }

            @MainActor private func countBuilt(_ numbers: NexaCollection<Document>) async throws -> Int {
                var made: [Int64] = []
                try await numbers.bulk { bulk in
                    for number in 0..<10 as Range<Int64> {
                        bulk.insert(["n": .int(number)])
                        made.append(number)
                    }
                }
                return made.count
            }

            @Test func bulksAreBuiltWhereTheyAreCalled() async throws {
                try await LiveServer.run { client in
                    let numbers = client.database().collection("numbers")
                    let built = try await countBuilt(numbers)
                    #expect(built == 10)
                    #expect(try await numbers.count() == 10)
                }
            }

            @Test func aLongBulkIsSentInParts() async throws {
                try await LiveServer.run { client in
                    let numbers = client.database().collection("numbers")
                    let result = try await numbers.bulk(options: CallOptions(durability: .os)) { bulk in
                        for number in 0..<2500 { bulk.insert(["_id": .string("n\(number)"), "n": .int(Int64(number))]) }
                        for number in 0..<2500 { bulk.update(DocumentID("n\(number)"), .inc("n", 1)) }
                    }
                    #expect(result.insertedIDs.count == 2500 && result.modified == 2500)
                    #expect(try await numbers.updateMany(.all, .mul("n", 2)).modified == 2500)
                    let sum = try await numbers.find().collect().reduce(0) { $0 + ($1["n"]?.int ?? 0) }
                    #expect(sum == 2500 * 2501)
                }
            }

            @Test func pipelinesTakeUpdates() async throws {
                try await withPages { client, pages in
                    let (one, many, gone) = await client.pipeline(
                        pages.requests.update("p0", .inc("visits", 5)),
                        pages.requests.updateMany(Page.Fields.visits >= 5, .inc("visits", 1)),
                        pages.requests.deleteMany(["visits": 10]), options: CallOptions(durability: .os))
                    let isFound = try one.get()
                    #expect(isFound)
                    let (changed, deleted) = (try many.get(), try gone.get())
                    #expect(changed == UpdateResult(matched: 6, modified: 6) && deleted == 1)
                    let (none, some) = await client.pipeline(
                        pages.requests.update("nobody", .inc("visits", 5)),
                        pages.requests.update("p1", .push("tags", "x").set("tags.$[t]", "y").arrayFilter(["t": "z"])))
                    #expect(try !none.get())
                    #expect(throws: NexaError.self) { try some.get() }
                    let absent = await client.pipeline(
                        pages.requests.update("nobody", .set("tags.$[t]", "y").arrayFilter(["t": "z"])))
                    #expect(try !absent.get())
                }
            }

            /// Large documents are changed by other threads; what is behind them in a pipeline still comes later.
            @Test func largeDocumentsAreUpdatedInOrder() async throws {
                try await LiveServer.run { client in
                    let documents = client.database().collection("documents")
                    let list = (0..<100_000).map { Value.int(Int64($0)) }
                    try await documents.insert(["_id": "big", "list": .array(list), "small": 0])
                    try await documents.insert(["_id": "small", "n": 0])
                    let requests = documents.requests
                    for round in 1...5 as ClosedRange<Int64> {
                        let (first, _, second, third, found) = await client.pipeline(
                            requests.update("big", set: ["$push": ["list": .int(-round)]]),
                            requests.update("small", set: ["$inc": ["n": 1]]),
                            requests.update("big", set: ["$set": ["small": .int(round)], "$pop": ["list": -1]]),
                            requests.update("big", set: ["plain": .int(round)]),
                            requests.read("big"))
                        let done = try [first.get(), second.get(), third.get()]
                        #expect(done == [true, true, true])
                        let document = try #require(try found.get())
                        #expect(document["small"] == .int(round) && document["plain"] == .int(round))
                        #expect(document["list"]?.array?.last == .int(-round))
                        #expect(document["list"]?.array?.first == .int(round))
                    }
                    #expect(try await documents["small"]?["n"] == 5)
                    #expect(try await !documents.update("nobody", .push("list", 1)))
                    let changed = try await documents.updateMany(.all, .pull("list", where: ["$gte": 50]))
                    #expect(changed == UpdateResult(matched: 2, modified: 1))
                }
            }

            @Test func updatesArePartOfTransactions() async throws {
                try await withPages { client, pages in
                    try await client.withTransaction { transaction in
                        let mine = transaction.collection("pages", of: Page.self)
                        try await mine.updateMany(.all, .inc("visits", 100))
                        try await mine.bulk(atomic: true) { $0.update("p0", .inc("visits", 1)) }
                        #expect(try await mine.findOneAndUpdate(["_id": "p0"], .inc("visits", 1))?.visits == 101)
                        #expect(try await pages["p0"]?.visits == 0)
                    }
                    #expect(try await pages["p0"]?.visits == 102)
                    #expect(try await pages["p9"]?.visits == 109)
                }
            }

            @Test func watchersSeeWhatWasSetAndRemoved() async throws {
                try await withPages { client, pages in
                    try await pages.update("p1", .set("tags", ["a"]))
                    var changes = pages.watch().makeAsyncIterator()
                    _ = try await changes.begin()
                    try await pages.update("p1", .inc("visits", 1).unset("tags"))
                    let next = try await changes.next()
                    #expect(
                        next?.change
                            == .updated(
                                "p1", changed: ["visits": 2], removed: ["tags"],
                                full: Page(_id: "p1", visits: 2, tags: nil)))
                }
            }
        }
    }
#endif
