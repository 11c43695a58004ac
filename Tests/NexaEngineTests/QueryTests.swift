import NexaEngine
import NexaValue
import Testing

@Suite struct QueryTests {
    /// Documents 0..<count with ids n, an even flag and a group.
    private func numbers(_ count: Int64) async throws -> Fixture {
        let fixture = try Fixture()
        try await fixture.engine.insert(
            contentsOf: (0..<count).map { ["_id": .int($0), "even": .bool($0 % 2 == 0), "group": .int($0 % 7)] },
            collection: "n")
        return fixture
    }

    private func ids(_ documents: [Document]) -> [Int64] { documents.compactMap { $0["_id"]?.int } }

    private func options(_ change: (inout QueryOptions) -> Void) -> QueryOptions {
        var options = QueryOptions()
        change(&options)
        return options
    }

    @Test func scansInTheOrderOfIDs() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        let values: [Value] = [10, -5, "b", 9, "a", "", 0].filter { $0 != "" }
        for id in values { try await engine.insert(["_id": id], collection: "c") }
        #expect(try engine.find(collection: "c").map { $0["_id"] } == [-5, 0, 9, 10, "a", "b"])
        #expect(try engine.find(collection: "unknown").isEmpty)
    }

    @Test func filtersSkipsAndLimits() async throws {
        let fixture = try await numbers(100)
        let engine = fixture.engine
        #expect(try ids(engine.find(["even": true], collection: "n")) == Array(stride(from: 0, to: 100, by: 2)))
        let some = options {
            $0.skip = 3
            $0.limit = 4
        }
        #expect(try ids(engine.find(["even": true], collection: "n", options: some)) == [6, 8, 10, 12])
        #expect(try ids(engine.find(["even": true], collection: "n", options: options { $0.skip = 49 })) == [98])
        #expect(try ids(engine.find(["even": true], collection: "n", options: options { $0.skip = 50 })) == [])
        let execution = try engine.query(
            database: "default", collection: "n", filter: ["even": true], options: options { $0.isCountOnly = true })
        while try execution.step(budget: 7) == .more {}
        #expect(execution.count == 50 && execution.documentCount == 0 && execution.takeDocuments().isEmpty)
    }

    @Test func idsAreLookedUp() async throws {
        let fixture = try await numbers(1000)
        let engine = fixture.engine
        func examined(_ filter: Document) throws -> (found: [Int64], examined: Int) {
            let execution = try engine.query(database: "default", collection: "n", filter: filter)
            while try execution.step(budget: 10) == .more {}
            var reader = MessagePackReader(execution.takeDocuments().span.bytes)
            var found: [Int64] = []
            while !reader.isAtEnd { found.append(try reader.readDocument()["_id"]?.int ?? -1) }
            return (found, execution.examined)
        }
        #expect(try examined(["_id": 5]) == ([5], 1))
        #expect(try examined(["_id": 5.0]) == ([5], 1))
        #expect(try examined(["_id": "5"]) == ([], 0))
        #expect(try examined(["_id": 5, "even": true]) == ([], 1))
        #expect(try examined(["_id": ["$in": [900, 3, 7, 3, "x", nil, 5000]]]).found == [3, 7, 900])
        #expect(try examined(["_id": ["$in": [900, 3, 7, 3, "x", 5000]]]) == ([3, 7, 900], 3))
        #expect(try examined(["_id": ["$gte": 10, "$lt": 13]]) == ([10, 11, 12], 3))
        #expect(try examined(["_id": ["$gt": 10, "$lte": 13]]) == ([11, 12, 13], 3))
        #expect(try examined(["_id": ["$gt": 10.5, "$lt": 12.5]]) == ([11, 12], 2))
        #expect(try examined(["_id": ["$gt": 997]]) == ([998, 999], 2))
        #expect(try examined(["_id": ["$lt": 2]]) == ([0, 1], 2))
        #expect(try examined(["_id": ["$gt": 5, "$lt": 3]]) == ([], 0))
        #expect(try examined(["_id": ["$gt": "a"]]) == ([], 0))
        #expect(try examined(["_id": ["$in": []]]) == ([], 0))
    }

    @Test func sortsStably() async throws {
        let fixture = try await numbers(200)
        let engine = fixture.engine
        let all = Array(0..<200 as Range<Int64>)
        let expected = all.sorted { $0 % 7 == $1 % 7 ? $0 > $1 : $0 % 7 < $1 % 7 }
        let sort: Value = [["group", 1], ["_id", -1]]
        #expect(try ids(engine.find(collection: "n", options: options { $0.sort = sort })) == expected)
        for (skip, limit) in [(0, 1), (0, 10), (5, 20), (190, 50), (0, 200), (0, 500), (300, 5)] {
            let found = try engine.find(
                collection: "n",
                options: options {
                    $0.sort = ["group": 1, "_id": -1]
                    $0.skip = skip
                    $0.limit = limit
                })
            #expect(ids(found) == Array(expected.dropFirst(skip).prefix(limit)))
        }
        let ties = try engine.find(
            collection: "n",
            options: options {
                $0.sort = ["group": -1]
                $0.limit = 30
            })
        let stable = all.sorted { $0 % 7 == $1 % 7 ? $0 < $1 : $0 % 7 > $1 % 7 }
        #expect(ids(ties) == Array(stable.prefix(30)))
    }

    @Test func projects() async throws {
        let fixture = try await numbers(10)
        let projected = options {
            $0.projection = ["group": 1]
            $0.sort = ["_id": -1]
            $0.limit = 1
        }
        let found = try fixture.engine.find(collection: "n", options: projected)
        #expect(found == [["_id": 9, "group": 2]])
        let scanned = options {
            $0.projection = ["_id": 0, "even": 1]
            $0.limit = 2
        }
        #expect(try fixture.engine.find(collection: "n", options: scanned) == [["even": true], ["even": false]])
    }

    @Test(arguments: ["_id", "n"]) func projectsByOperators(order: String) async throws {
        let fixture = try Fixture()
        let documents = (0..<20).map { number -> Document in
            ["_id": .int(Int64(number)), "n": .int(Int64(-number)), "l": [1, 2, .int(Int64(number))], "big": "x"]
        }
        try await fixture.engine.insert(contentsOf: documents, collection: "n", durability: .os)
        let found = try fixture.engine.find(
            collection: "n",
            options: options {
                $0.projection = ["l": ["$slice": -1], "big": 1, "twice": ["$multiply": ["$_id", 2]]]
                $0.sort = .document([order: order == "n" ? -1 : 1])
                $0.limit = 3
            })
        #expect(
            found == [
                ["_id": 0, "l": [0], "big": "x", "twice": 0], ["_id": 1, "l": [1], "big": "x", "twice": 2],
                ["_id": 2, "l": [2], "big": "x", "twice": 4]
            ])
        let matching = options { $0.projection = ["l": ["$elemMatch": ["$gt": 17]]] }
        #expect(
            try fixture.engine.find(["n": ["$lte": -17]], collection: "n", options: matching)
                == [["_id": 17], ["_id": 18, "l": [18]], ["_id": 19, "l": [19]]])
        // Refused before anything runs, also where there is nothing to run on.
        let wrong = options { $0.projection = ["l": ["$slice": [1, 0]]] }
        #expect(throws: EngineError.self) { try fixture.engine.find(collection: "gone", options: wrong) }
    }

    @Test(arguments: [1, 7, 64, 1000]) func pagesMeetWithoutGapOrOverlap(_ size: Int) async throws {
        let fixture = try await numbers(500)
        let engine = fixture.engine
        var found: [Int64] = []
        var after: [UInt8]?
        var pages = 0
        repeat {
            let execution = try engine.query(
                database: "default", collection: "n", filter: ["group": ["$ne": 3]],
                options: options {
                    $0.page = QueryOptions.Page(documents: size, bytes: 1 << 20)
                    $0.after = after
                    $0.skip = 2
                })
            while try execution.step(budget: 13) == .more {}
            var reader = MessagePackReader(execution.takeDocuments().span.bytes)
            while !reader.isAtEnd { found.append(try reader.readDocument()["_id"]?.int ?? -1) }
            after = execution.next
            pages += 1
            if pages == 1 { try await engine.insert(["_id": -1, "group": 0], collection: "n") }
        } while after != nil && pages < 1000
        let expected = Array((0..<500 as Range<Int64>).filter { $0 % 7 != 3 }.dropFirst(2))
        #expect(found == expected)
    }

    @Test func aPageEndsAtItsBytes() async throws {
        let fixture = try await numbers(100)
        let execution = try fixture.engine.query(
            database: "default", collection: "n",
            options: options { $0.page = QueryOptions.Page(documents: 1000, bytes: 200) })
        while try execution.step(budget: 1000) == .more {}
        #expect((1..<10).contains(execution.documentCount) && execution.next != nil)
    }

    @Test func limitsAreNamed() async throws {
        let fixture = try await numbers(100)
        let engine = fixture.engine
        let result = #expect(throws: EngineError.self) {
            try engine.find(collection: "n", options: options { $0.maximumResultBytes = 500 })
        }
        #expect(result?.code == .limit && result?.message.contains("500") == true)
        let inFile = try engine.find(
            collection: "n",
            options: options {
                $0.sort = ["group": 1]
                $0.maximumSortBytes = 1000
            })
        #expect(inFile == (try engine.find(collection: "n", options: options { $0.sort = ["group": 1] })))
        #expect(
            try engine.find(
                collection: "n",
                options: options {
                    $0.sort = ["group": 1]
                    $0.limit = 3
                    $0.maximumSortBytes = 1000
                }
            ).count == 3, "a bounded sort keeps only what it returns")
    }

    @Test func badRequestsAreRefused() async throws {
        let fixture = try await numbers(1)
        let engine = fixture.engine
        for filter in [["a": ["$foo": 1]], ["$and": 1], ["a": ["$in": 1]]] as [Document] {
            for collection in ["n", "unknown"] {
                let error = #expect(throws: EngineError.self) { try engine.find(filter, collection: collection) }
                #expect(error?.code == .badRequest)
            }
        }
        for change in [
            { $0.limit = -1 }, { $0.skip = -1 }, { $0.sort = "x" }, { $0.projection = ["a": 1, "b": 0] },
            { $0.page = QueryOptions.Page(documents: 0, bytes: 1) },
            { $0.after = [UInt8](repeating: 1, count: 10_000) },
            {
                $0.after = [1]
                $0.sort = ["a": 1]
            }
        ] as [(inout QueryOptions) -> Void] {
            let error = #expect(throws: EngineError.self) {
                try engine.find(collection: "n", options: options(change))
            }
            #expect(error?.code == .badRequest)
        }
        // A place that nobody gave out finds something or nothing, but stays within the collection.
        try await engine.insert(["_id": 77], collection: "other")
        for after in [[], [0], [0xFF], [0xFF, 0xFF, 0xFF, 0xFF, 0xFF], [0x10], [0x20, 0]] as [[UInt8]] {
            let found = try engine.find(collection: "n", options: options { $0.after = after })
            #expect(found.allSatisfy { $0["_id"] == 0 })
        }
    }

    @Test func aQuerySeesOneMoment() async throws {
        let fixture = try await numbers(100)
        let engine = fixture.engine
        let execution = try engine.query(database: "default", collection: "n")
        #expect(try execution.step(budget: 10) == .more)
        try await engine.delete(id: 50, collection: "n")
        try await engine.update(id: 60, ["group": 100], collection: "n")
        try await engine.dropCollection(name: "n")
        while try execution.step(budget: 10) == .more {}
        #expect(execution.documentCount == 100)
        #expect(try engine.find(collection: "n").isEmpty)
    }
}
