#if canImport(NexaServer)
    import NexaClient
    import NexaServer
    import TestKit
    import Testing

    extension ClientTests {
        @Suite struct Aggregation {
            struct Town: NexaModel, Equatable {
                var _id: String
                var people: Int
            }

            static func fill(_ client: NexaClient, _ count: Int = 30) async throws -> NexaCollection<Document> {
                let users = client.database().collection("users")
                let towns = ["Athens", "Bonn", "Cairo"]
                let documents = (0..<count).map { number -> Document in
                    [
                        "_id": .int(Int64(number)), "age": .int(Int64(number)), "city": .string(towns[number % 3]),
                        "tags": [.string("t\(number % 2)"), "all"]
                    ]
                }
                _ = try await users.insert(contentsOf: documents)
                return users
            }

            @Test func aPipelineOfStagesIsCarriedOut() async throws {
                try await LiveServer.run { client in
                    let users = try await Self.fill(client)
                    let towns = users.aggregate {
                        Stage.match(Field<Int>("age") >= 18)
                        Stage.group(by: "city", ["people": .count, "oldest": .max("age"), "sum": .sum("age")])
                        Stage.sort(Sort("_id"))
                    }
                    let found = try await towns.collect()
                    #expect(found.map { $0["_id"] } == ["Athens", "Bonn", "Cairo"])
                    #expect(found.map { $0["oldest"] } == [27, 28, 29])
                    #expect(try await towns.of(Town.self).first() == Town(_id: "Athens", people: 4))
                    let isWanted = false
                    let n = users.aggregate {
                        if isWanted { Stage.limit(1) }
                        for tag in ["all", "t1"] { Stage.match(["tags": .string(tag)]) }
                        Stage.count(as: "n")
                    }
                    #expect(try await n.first()?["n"] == 15)
                    let doubled = users.aggregate {
                        Stage.match(["_id": 4])
                        Stage.set(["twice": ["$multiply": ["$age", 2]]])
                        Stage.project("twice")
                    }
                    #expect(try await doubled.first() == ["_id": 4, "twice": 8])
                }
            }

            @Test func projectionsTakeOperators() async throws {
                try await LiveServer.run { client in
                    let users = try await Self.fill(client)
                    let found = users.find(["_id": ["$in": [3, 4]]])
                    #expect(
                        try await found.project(["tags": ["$slice": -1], "_id": 1]).collect()
                            == [["_id": 3, "tags": ["all"]], ["_id": 4, "tags": ["all"]]])
                    #expect(
                        try await found.project(["tags": ["$elemMatch": ["$eq": "t1"]]]).collect()
                            == [["_id": 3, "tags": ["t1"]], ["_id": 4]])
                    let computed = found.sort(Sort("_id", .descending)).limit(1)
                        .project(["city": 1, "next": ["$add": ["$age", 1]]])
                    #expect(try await computed.collect() == [["_id": 4, "city": "Bonn", "next": 5]])
                    #expect(try await users.find().project(["tags": 0]).first()?["tags"] == nil)
                    let error = await #expect(throws: NexaError.self) {
                        try await found.project(["a.b": ["$elemMatch": ["c": 1]]]).collect()
                    }
                    #expect(error?.code == .invalidRequest)
                }
            }

            @Test func distinctValuesAreListed() async throws {
                try await LiveServer.run { client in
                    let users = try await Self.fill(client)
                    let tags = try await users.distinct("tags")
                    #expect(tags == ["t0", "all", "t1"])
                    let cities = try await users.distinct("city", ["age": ["$lt": 2]])
                    #expect(cities == ["Athens", "Bonn"])
                }
            }

            @Test func aLargeResultComesInPagesAndLeavesNothingBehind() async throws {
                try await LiveServer.run { client in
                    let users = try await Self.fill(client, 3500)
                    let all = users.aggregate { Stage.set(["z": 1]) }
                    var count = 0
                    for try await document in all {
                        #expect(document["_id"] == .int(Int64(count)))
                        count += 1
                    }
                    #expect(count == 3500)
                    // Dropped in the middle, many times: the cursors are closed, and the connections go on.
                    for _ in 0..<100 {
                        for try await _ in all { break }
                    }
                    #expect(try await users.count() == 3500)
                    let sorted = try await users.aggregate { Stage.sort(Sort("age", .descending)) }.collect()
                    #expect(sorted.count == 3500 && sorted.first?["age"] == 3499)
                }
            }

            @Test func aPipelineInATransactionSeesItsWrites() async throws {
                try await LiveServer.run { client in
                    _ = try await Self.fill(client)
                    let n = try await client.withTransaction { transaction in
                        let users = transaction.collection("users")
                        try await users.insert(["_id": "new", "city": "Athens"])
                        let n = try await users.aggregate { Stage.group(by: nil, ["n": .count]) }.first()?["n"]?.int
                        let cities = try await users.distinct("city")
                        #expect(cities.count == 3)
                        return n
                    }
                    #expect(n == 31)
                }
            }

            @Test func aMistakeNamesItsStage() async throws {
                try await LiveServer.run { client in
                    let users = try await Self.fill(client)
                    let error = await failure { () throws(NexaError) in
                        try await users.aggregate([["$match": [:]], ["$grup": [:]]]).run()
                    }
                    #expect(error?.code == .invalidRequest)
                    #expect(error?.serverMessage?.contains("Stage 1") == true)
                    #expect(error?.serverMessage?.contains("$group") == true)
                    try await users.aggregate {
                        Stage.group(by: "city", ["n": .count])
                        Stage.merge(into: "towns")
                    }.run()
                    let towns = client.database().collection("towns")
                    #expect(try await towns.count() == 3)
                    try await users.aggregate {
                        Stage.match(Field<Int>("age") < 2)
                        Stage.out(to: "towns")
                    }.run()
                    #expect(try await towns.find().sort(Sort("_id")).collect().map { $0["_id"] } == [0, 1])
                    let refused = await #expect(throws: NexaError.self) {
                        try await client.withTransaction { transaction in
                            try await transaction.collection("users").aggregate { Stage.out(to: "towns") }.run()
                        }
                    }
                    #expect(refused?.serverMessage?.contains("transaction") == true)
                    #expect(try await towns.count() == 2)
                }
            }
        }
    }
#endif
