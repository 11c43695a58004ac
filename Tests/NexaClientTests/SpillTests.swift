#if canImport(NexaServer)
    import NexaClient
    import NexaServer
    import TestKit
    import Testing

    extension ClientTests {
        /// Sorts and groups that outgrow the server's memory, as a client meets them: in pages, complete and in order.
        @Suite struct Spilling {
            private static let count = 3000

            private static func run(
                memory: Int, _ body: (NexaCollection<Document>) async throws -> Void
            ) async throws {
                try await LiveServer.run(configuring: { configuration in
                    configuration.maximumStageBytes = memory
                    configuration.maximumSortBytes = memory
                }) { client in
                    let numbers = client.database().collection("numbers")
                    let documents = (0..<count).map { number -> Document in
                        [
                            "_id": .int(Int64(number)), "n": .int(Int64(number * 7919 % count)),
                            "key": .string("key-\(number % 1500)"), "text": .string(String(repeating: "x", count: 40))
                        ]
                    }
                    _ = try await numbers.insert(contentsOf: documents)
                    try await body(numbers)
                }
            }

            @Test func groupsThatGoOnInFilesAreComplete() async throws {
                var results: [[Document]] = []
                // In memory, and with a fraction of what it takes.
                for memory in [100 << 20, 30_000] {
                    try await Self.run(memory: memory) { numbers in
                        let groups = numbers.aggregate([
                            [
                                "$group": [
                                    "_id": "$key", "sum": ["$sum": "$n"], "all": ["$push": "$n"], "n": ["$sum": 1]
                                ]
                            ]
                        ])
                        results.append(try await groups.collect())
                    }
                }
                #expect(results[0].count == 1500)
                #expect(results[0].allSatisfy { $0["n"] == 2 })
                #expect(results[0] == results[1])
            }

            @Test func sortsThatGoOnInFilesAreInOrder() async throws {
                try await Self.run(memory: 30_000) { numbers in
                    let order = Array(0..<Int64(Self.count))
                    let staged = try await numbers.aggregate([["$sort": ["n": 1]]]).collect()
                    #expect(staged.compactMap { $0["n"]?.int } == order)
                    let found = try await numbers.find().sort(Sort("n", .descending)).collect()
                    #expect(found.compactMap { $0["n"]?.int } == order.reversed())
                    // A limit that is larger than the memory.
                    let some = try await numbers.find().sort(Sort("n")).skip(100).limit(2000).collect()
                    #expect(some.compactMap { $0["n"]?.int } == Array(order[100..<2100]))
                    // Sorted again behind a group.
                    let groups = try await numbers.aggregate([
                        ["$group": ["_id": "$key", "least": ["$min": "$n"]]], ["$sort": ["least": 1]]
                    ]).collect()
                    let least = groups.compactMap { $0["least"]?.int }
                    #expect(least.count == 1500 && least == least.sorted())
                }
            }
        }
    }
#endif
