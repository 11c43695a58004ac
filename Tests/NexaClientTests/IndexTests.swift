#if canImport(NexaServer)
    import NexaClient
    import NexaServer
    import TestKit
    import Testing

    extension ClientTests {
        @Suite struct Indexes {
            @Test func anIndexIsMadeUsedExplainedAndDropped() async throws {
                try await LiveServer.run { client in
                    let people = client.database("town").collection("people")
                    try await people.insert(
                        contentsOf: (0..<3000).map { n in
                            ["_id": .int(Int64(n)), "city": .string("c\(n % 100)"), "age": .int(Int64(n % 77))]
                        })
                    let before = try await people.find(["city": "c7"]).explain()
                    #expect(before.winningPlan.stage == "COLLSCAN" && before.documentsExamined == 3000)

                    let name = try await people.createIndex([.ascending("city"), .descending("age")])
                    #expect(name == "city_1_age_-1")
                    let listed = try await people.indexes()
                    #expect(listed.map(\.name) == [name])
                    #expect(listed.first?.state == .ready)
                    #expect(listed.first?.keys == [.ascending("city"), .descending("age")])

                    let query = people.find(["city": "c7"]).sort(.descending("age"))
                    let plan = try await query.explain()
                    #expect(plan.winningPlan.stage == "IXSCAN")
                    #expect(plan.winningPlan.index == name)
                    #expect(plan.winningPlan.sort == "source")
                    #expect(plan.winningPlan.bounds["city"] == ["[\"c7\", \"c7\"]"])
                    #expect(plan.keysExamined == 30 && plan.documentsExamined == 30 && plan.returned == 30)
                    #expect(plan.rejectedPlans.map(\.stage) == ["COLLSCAN"])
                    let ages = try await query.collect().compactMap { $0["age"]?.int }
                    #expect(ages.count == 30 && ages == ages.sorted(by: >))
                    #expect(try await people.count(["city": "c7"]) == 30)

                    let expression = people.find(["$expr": ["$eq": ["$city", "c7"]]])
                    #expect(try await expression.explain().winningPlan.index == name)
                    #expect(try await expression.collect().count == 30)
                    let above = try await people.find(["$expr": ["$gte": ["$city", "c99"]]]).explain()
                    #expect(above.keysExamined == 30 && above.returned == 30, "\(above.winningPlan.bounds)")

                    let hinted = try await people.find(["city": "c7"]).hint("_id_").explain()
                    #expect(hinted.winningPlan.stage == "COLLSCAN")
                    let missing = await failure { () throws(NexaError) in
                        _ = try await people.find(["city": "c7"]).hint("no_such").collect()
                    }
                    #expect(missing?.code == .invalidRequest)

                    // The whole collection in the order of an index, page by page.
                    let all = try await people.find().sort(.ascending("city"), .descending("age")).collect()
                    #expect(all.count == 3000 && Set(all.compactMap { $0["_id"]?.int }).count == 3000)

                    try await people.dropIndex(name)
                    #expect(try await people.indexes() == [])
                    #expect(try await people.find(["city": "c7"]).explain().winningPlan.stage == "COLLSCAN")
                    let gone = await failure { () throws(NexaError) in try await people.dropIndex(name) }
                    #expect(gone?.code == .notFound)
                }
            }

            @Test func aUniqueIndexRefusesDuplicatesAndSaysWhichWhenItCannotBeMade() async throws {
                try await LiveServer.run { client in
                    let users = client.database().collection("users")
                    try await users.insert(["_id": "one", "mail": "a@example.org"])
                    try await users.insert(["_id": "two", "mail": "a@example.org"])
                    let failed = await failure { () throws(NexaError) in
                        try await users.createIndex([.ascending("mail")], unique: true)
                    }
                    #expect(failed?.code == .duplicateKey)
                    #expect(failed?.serverMessage?.contains("a@example.org") == true)
                    let listed = try await users.indexes()
                    guard case .failed? = listed.first?.state else {
                        Issue.record("\(listed)")
                        return
                    }
                    try await users.update("two", set: ["mail": "b@example.org"])
                    try await users.createIndex([.ascending("mail")], unique: true)
                    let refused = await failure { () throws(NexaError) in
                        try await users.insert(["_id": "three", "mail": "b@example.org"])
                    }
                    #expect(refused?.code == .duplicateKey)
                    #expect(refused?.serverMessage?.contains("two") == true)
                    #expect(try await users.count() == 2)
                }
            }

            @Test func partialAndSparseIndexesServeWhatTheyHave() async throws {
                try await LiveServer.run { client in
                    let jobs = client.database().collection("jobs")
                    try await jobs.insert(
                        contentsOf: (0..<500).map { n in
                            ["state": n % 10 == 0 ? "open" : "done", "rank": .int(Int64(n))]
                        })
                    try await jobs.createIndex([.ascending("rank")], name: "open", partial: ["state": "open"])
                    let used = try await jobs.find(["state": "open", "rank": ["$lt": 100]]).explain()
                    #expect(used.winningPlan.index == "open" && used.returned == 10)
                    let unused = try await jobs.find(["rank": ["$lt": 100]]).explain()
                    #expect(unused.winningPlan.stage == "COLLSCAN" && unused.returned == 100)
                    let refused = await failure { () throws(NexaError) in
                        try await jobs.createIndex([.ascending("x")], partial: ["$or": [["a": 1], ["b": 2]]])
                    }
                    #expect(refused?.code == .invalidRequest)
                }
            }

            @Test func statisticsCountWhatIsThere() async throws {
                try await LiveServer.run { client in
                    let database = client.database("numbers")
                    let things = database.collection("things")
                    try await things.insert(contentsOf: (0..<100).map { ["n": .int($0), "tags": ["a", "b"]] })
                    try await things.createIndex([.ascending("tags")])
                    let statistics = try await things.statistics()
                    #expect(statistics.documents == 100 && statistics.isExact)
                    #expect(statistics.averageBytes > 100 && statistics.bytes > 10_000)
                    #expect(statistics.indexes.map(\.entries) == [200])
                    let whole = try await database.statistics()
                    #expect(whole.collections.keys.sorted() == ["things"])
                    #expect(whole.documents == 100 && whole.indexBytes > 0)
                    #expect(try await database.collection("nothing").statistics().documents == 0)
                }
            }
        }
    }
#endif
