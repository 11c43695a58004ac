#if canImport(NexaServer)
    import NexaClient
    import NexaServer
    import Testing

    extension ClientTests {
        /// Answers that MongoDB documents, in corners where one could think otherwise.
        @Suite struct MongoSemantics {
            struct Question: Sendable, CustomTestStringConvertible {
                var filter: Document
                /// The `_id`s; `nil` when the filter is refused.
                var ids: [Int64]?
                var testDescription: String { "\(filter)" }

                init(_ filter: Document, _ ids: [Int64]?) {
                    self.filter = filter
                    self.ids = ids
                }
            }

            @Test func filtersInTheCorners() async throws {
                let documents: [Document] = [
                    ["_id": 0], ["_id": 1, "a": nil], ["_id": 2, "a": 5], ["_id": 3, "a": []],
                    ["_id": 4, "a": [nil, 5]],
                    ["_id": 5, "a": [["b": 1], ["b": [2, 3]]]], ["_id": 6, "a": .double(.nan)], ["_id": 7, "a": -5.5],
                    ["_id": 8, "a": "5"], ["_id": 9, "a": [[5]]]
                ]
                let questions = [
                    Question(["a": ["$exists": nil]], [0]), Question(["a": nil], [0, 1, 4]),
                    Question(["a": ["$gte": nil]], [0, 1, 4]), Question(["a": ["$gt": nil]], []),
                    Question(["$comment": "why", "a": 5], [2, 4]), Question(["a": ["$type": "objectId"]], []),
                    Question(["a": ["$type": ["minKey", "string", 19]]], [8]), Question(["a": ["$type": "kind"]], nil),
                    Question(["a": ["$not": ["$type": 7]]], Array(0..<10)),
                    Question(["a": ["$all": [["$elemMatch": ["b": 1]], ["$elemMatch": ["b": 3]]]]], [5]),
                    Question(["a": ["$mod": [5, 0]]], [2, 4, 7]), Question(["a": ["$mod": [-5, 0]]], [2, 4, 7]),
                    Question(["a": ["$lte": .double(.nan)]], [6]), Question(["a.b": nil], [0, 1, 2, 6, 7, 8]),
                    Question(["a": ["$elemMatch": ["$elemMatch": ["$eq": 5]]]], [9])
                ]
                try await LiveServer.run { client in
                    let things = client.database().collection("things")
                    _ = try await things.insert(contentsOf: documents)
                    for question in questions {
                        do throws(NexaError) {
                            let found = try await things.find(Filter(question.filter)).sort(Sort("_id")).collect()
                            #expect(found.map { $0["_id"]?.int } == question.ids, "\(question.filter)")
                        } catch {
                            let isRefused = question.ids == nil && error.code == .invalidRequest
                            #expect(isRefused, "\(question.filter): \(error)")
                        }
                    }
                }
            }

            /// Values of unique indexes are refused by the write that takes them; what the transaction gave up is free.
            @Test func uniqueIndexesInTransactions() async throws {
                try await LiveServer.run { client in
                    let users = client.database().collection("users")
                    _ = try await users.createIndex([.ascending("mail")], unique: true)
                    try await users.insert(["_id": 1, "mail": "a"])
                    try await users.insert(["_id": 2, "mail": "b"])
                    try await client.withTransaction { transaction in
                        let mine = transaction.collection("users")
                        let error = await #expect(throws: NexaError.self) {
                            try await mine.insert(["_id": 3, "mail": "a"] as Document)
                        }
                        #expect(error?.code == .duplicateKey)
                        await #expect(throws: NexaError.self) {
                            _ = try await mine.updateOne(["_id": 2], ["$set": ["mail": ["c", "a"]]])
                        }
                        // What was refused did not happen, and the transaction goes on.
                        #expect(try await mine.count() == 2)
                        #expect(try await mine.deleteOne(["_id": 1]))
                        _ = try await mine.updateOne(["_id": 2], ["$set": ["mail": "a"]])
                        try await mine.insert(["_id": 4, "mail": "b"] as Document)
                    }
                    let mails = try await users.find().sort(Sort("_id")).collect().map { $0["mail"]?.string }
                    #expect(mails == ["a", "b"])
                    await #expect(throws: NexaError.self) {
                        try await client.withTransaction { transaction in
                            let mine = transaction.collection("users")
                            try await mine.insert(["_id": 5, "mail": "x"] as Document)
                            try await mine.insert(["_id": 6, "mail": "x"] as Document)
                        }
                    }
                    #expect(try await users.count() == 2)
                }
            }

            @Test func stagesInTheCorners() async throws {
                let pipelines: [(stage: Document, expected: Document?)] = [
                    (["$unwind": ["path": "$l", "includeArrayIndex": "at.index"]], ["l": 7, "at": ["index": 0]]),
                    (["$unwind": ["path": "$l", "includeArrayIndex": "$i"]], nil),
                    (["$unwind": ["path": "$l", "includeArrayIndex": 1]], nil),
                    (["$unwind": ["path": "$l", "preserveNullAndEmptyArrays": 1]], nil),
                    (["$unwind": "$l..m"], nil),
                    (
                        [
                            "$lookup": [
                                "from": "things", "localField": "a", "foreignField": "a", "pipeline": [["$count": "n"]],
                                "as": "x.found"
                            ]
                        ], ["x": ["found": [["n": 1]]]]
                    ),
                    (["$lookup": ["from": "things", "pipeline": [], "as": "$found"]], nil),
                    (["$lookup": ["from": "things", "let": ["Name": 1], "pipeline": [], "as": "found"]], nil),
                    (["$lookup": ["from": "things", "let": 5, "pipeline": [], "as": "found"]], nil),
                    (["$addFields": ["b": ["c": 1], "b.d": 2]], ["b": ["c": 1, "d": 2]]),
                    (["$addFields": ["b": 1, "b.c": 2]], nil), (["$addFields": ["b.c": 1, "b": ["c": 2]]], nil),
                    (["$project": ["b": [:]]], nil), (["$sort": [:]], nil), (["$unset": [""]], nil),
                    (["$unset": ["a", 5]], nil), (["$sample": ["size": 1, "seed": 2]], nil),
                    (["$replaceRoot": ["newRoot": "$$ROOT", "x": 1]], nil), (["$facet": ["a.b": []]], nil),
                    (["$facet": ["$a": []]], nil), (["$group": ["_id": nil, "n": ["$count": 1]]], nil),
                    (["$bucket": ["groupBy": "$a", "boundaries": [0, 2], "default": 1]], nil),
                    (["$bucket": ["groupBy": "$a", "boundaries": [0, "x"], "default": "z"]], nil),
                    (["$bucket": ["groupBy": "$a", "boundaries": [2, 3], "default": 1]], ["_id": 1, "count": 1]),
                    (
                        ["$set": ["m": ["$regexFindAll": ["input": "ab", "regex": "x*"]]]],
                        [
                            "m": [
                                ["match": "", "idx": 0, "captures": []], ["match": "", "idx": 1, "captures": []]
                            ]
                        ]
                    ),
                    (
                        ["$set": ["m": ["$regexFindAll": ["input": "", "regex": ""]]]],
                        ["m": [["match": "", "idx": 0, "captures": []]]]
                    ),
                    (["$set": ["m": ["$arrayToObject": [[["k", 1], ["k": "x", "v": 2]]]]]], nil)
                ]
                try await LiveServer.run { client in
                    let things = client.database().collection("things")
                    _ = try await things.insert(contentsOf: [["_id": 1, "a": 1, "l": [7]]] as [Document])
                    for (stage, expected) in pipelines {
                        do throws(NexaError) {
                            let found = try await things.aggregate([stage]).collect()
                            #expect(expected != nil, "\(stage) gave \(found)")
                            for (name, value) in expected ?? [:] {
                                #expect(found.first?[name] == .some(value), "\(stage) gave \(found)")
                            }
                        } catch {
                            #expect(expected == nil && error.code == .invalidRequest, "\(stage): \(error)")
                        }
                    }
                }
            }
        }
    }
#endif
