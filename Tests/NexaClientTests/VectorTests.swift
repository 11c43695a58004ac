#if canImport(NexaServer)
    import NexaClient
    import NexaProtocol
    import NexaServer
    import NexaTestSupport
    import TestKit
    import Testing

    extension ClientTests {
        @Suite struct Vectors {
            private struct Film: NexaModel, Equatable {
                var id: String
                var title: String
                var year: Int

                enum CodingKeys: String, CodingKey {
                    case id = "_id"
                    case title, year
                }
            }

            private func fill(_ films: NexaCollection<Document>) async throws {
                try await films.insert(
                    contentsOf: [
                        ["_id": "alien", "title": "Alien", "year": 1979, "vector": .vector([1, 0, 0])],
                        ["_id": "aliens", "title": "Aliens", "year": 1986, "vector": .vector([0.9, 0.1, 0])],
                        ["_id": "heat", "title": "Heat", "year": 1995, "vector": .vector([0, 1, 0])],
                        ["_id": "fargo", "title": "Fargo", "year": 1996, "vector": .vector([0, 0.8, 0.6])],
                        ["_id": "none", "title": "No vector", "year": 2000]
                    ])
            }

            @Test func theNearestDocumentsComeBestFirstAsModels() async throws {
                try await LiveServer.run { client in
                    let films = client.database("cinema").collection("films")
                    try await fill(films)
                    let found = try await films.of(Film.self).nearest(to: [1, 0, 0], limit: 2)
                    #expect(found.map(\.id) == ["alien", "aliens"])
                    #expect(found[0].document == Film(id: "alien", title: "Alien", year: 1979))
                    #expect(found[0].similarity == 1 && found[1].similarity < 1)
                    let late = try await films.nearest(to: [1, 0, 0], filter: ["year": ["$gte": 1990]])
                    #expect(Set(late.map(\.id)) == ["fargo", "heat"])
                    #expect(late.allSatisfy { $0.document["vector"] == nil })
                    let strict = try await films.nearest(
                        to: [1, 0, 0], search: .init(minimumSimilarity: 0.5, fields: ["title"]))
                    #expect(strict.count == 2 && strict[0].document == ["_id": "alien", "title": "Alien"])
                    let whole = try await films.nearest(
                        to: [0, 1, 0], limit: 1, search: .init(candidates: 100, isExact: true, includesVector: true))
                    #expect(whole[0].document["vector"] == [0.0, 1.0, 0.0])
                    // It is built in the background; before, documents are compared.
                    while try await films.indexes().contains(where: { $0.state != .ready }) { await Task.yield() }
                    let plan = try await films.explainNearest(to: [1, 0, 0])
                    #expect(plan.stage == "VECTOR_INDEX" && plan.document["index"] == "vector_hnsw", "\(plan.document)")
                    #expect(plan.strategy == "graph walk" && plan.metric == .cosine && plan.selectivity == nil)
                    let search: Document = [
                        "$vectorSearch": ["queryVector": [1, 0, 0], "limit": 2, "filter": ["year": ["$gte": 1900]]]
                    ]
                    let pipeline = try await films.aggregate([search, ["$merge": "copies"]]).explain()
                    #expect(pipeline.returned == 2 && pipeline.document["stages"] == ["$merge"])
                    #expect(pipeline.vectorPlan?.metric == .cosine && pipeline.vectorPlan?.selectivity != nil)
                    let copies = try await client.database("cinema").collection("copies").count()
                    #expect(copies == 0, "what is explained writes nothing")
                    let query = try await films.aggregate([["$match": ["_id": "heat"]]]).explain()
                    #expect(query.winningPlan.stage == "IDHACK" && query.vectorPlan == nil)
                }
            }

            @Test func similarDocumentsLeaveOutTheOneThatIsAskedFor() async throws {
                try await LiveServer.run { client in
                    let films = client.database("cinema").collection("films")
                    try await fill(films)
                    #expect(try await films.similar(to: "heat", limit: 1).map(\.id) == ["fargo"])
                    for id: DocumentID in ["none", "unknown"] {
                        let error = await failure { () throws(NexaError) in _ = try await films.similar(to: id) }
                        #expect(error?.code == .notFound)
                    }
                    let short = await failure { () throws(NexaError) in _ = try await films.nearest(to: [1, 0]) }
                    #expect(short?.serverMessage == "Query vector must have 3 dimensions")
                    let refused = await failure { () throws(NexaError) in
                        try await films.insert(["vector": .vector([1])])
                    }
                    #expect(refused?.code == .invalidRequest)
                }
            }

            @Test func aVectorIndexIsMadeListedBuiltAnewAndCounted() async throws {
                try await LiveServer.run { client in
                    let notes = client.database().collection("notes")
                    for number in 0..<20 {
                        try await notes.insert(["_id": .string("n\(number)"), "e": ["v": .vector([Float(number), 1])]])
                    }
                    let name = try await notes.createVectorIndex(
                        on: "e.v", dimensions: 2, metric: .l2, quantization: .float16, maxConnections: 8)
                    #expect(name == "e.v_hnsw")
                    let index = try await notes.indexes().first
                    #expect(index?.vector?.metric == .l2 && index?.vector?.quantization == .float16)
                    #expect(index?.vector?.maxConnections == 8 && index?.state == .ready)
                    #expect(index?.vector?.count == 20)
                    let found = try await notes.nearest(to: [7, 1], limit: 3, search: .init(field: "e.v"))
                    #expect(found.first?.id == "n7" && found.first?.similarity == 1 && found.count == 3)
                    let built = try await notes.buildVectorIndex(
                        on: "e.v", efConstruction: 60, quantization: .int8
                    ) { linked, total in
                        #expect((0...20).contains(linked) && total == 20)
                    }
                    #expect(built == 20)
                    let statistics = try await notes.vectorStatistics()
                    #expect(statistics.map(\.field) == ["e.v"] && statistics[0].count == 20)
                    #expect(statistics[0].quantization == .int8 && statistics[0].dimensions == 2)
                    let missing = await failure { () throws(NexaError) in _ = try await notes.buildVectorIndex() }
                    #expect(missing?.code == .notFound)
                    try await notes.dropIndex(name)
                    #expect(try await notes.vectorStatistics() == [])
                    #expect(try await notes.nearest(to: [7, 1], limit: 1, search: .init(field: "e.v")).count == 1)
                }
            }

            private struct Note: NexaModel, Equatable {
                var id: String
                var vector: [Float]
                var exact: [Double]?

                enum CodingKeys: String, CodingKey {
                    case id = "_id"
                    case vector, exact
                }
            }

            /// Packed on the wire, everybody sees the numbers.
            @Test func vectorsComeBackAsTheNumbersTheyAre() async throws {
                let vector = (0..<50).map { Float($0) / 7 }
                try await LiveServer.run { client in
                    let notes = client.database().collection("notes")
                    let models = notes.of(Note.self)
                    try await models.insert(Note(id: "a", vector: vector, exact: [0.1, 2]))
                    try await models.insert(contentsOf: [Note(id: "b", vector: vector), Note(id: "c", vector: vector)])
                    try await notes.insert(["_id": "d", "vector": .vector(vector)])
                    let plain = try EncodedDocument(
                        json: #"{"_id": "e", "vector": [\#(vector.map { "\($0)" }.joined(separator: ","))]}"#)
                    try await notes.insert(encoded: [plain])
                    let numbers = Value.array(vector.map { .double(Double($0)) })
                    for id: DocumentID in ["a", "b", "c", "d"] {
                        #expect(try await notes.read(id)?["vector"] == numbers)
                        #expect(try await models.read(id)?.vector == vector)
                    }
                    #expect(try await models.read("e")?.vector == vector)
                    #expect(try await models.read("a")?.exact == [0.1, 2])
                    #expect(try await notes.count(["vector": numbers]) == 4)
                    #expect(try await notes.count(["vector.3": .double(Double(vector[3]))]) == 4)
                }
            }

            /// What a server is sent that takes packed vectors, and one that does not.
            @Test func onlyAServerThatTakesThemGetsThemPacked() async throws {
                let vector: [Float] = [0.5, -1]
                let packed: [UInt8] = [0xD7, 0x56, 0, 0, 0, 0x3F, 0, 0, 0x80, 0xBF]
                let plain: [UInt8] = [0x92, 0xCA, 0x3F, 0, 0, 0, 0xCA, 0xBF, 0x80, 0, 0]
                for grants in [Capability.all, [.clientIDs, .atomicBatches], []] {
                    let expected = grants.contains(.packedVectors) ? packed : plain
                    try await withScript({ peer in
                        try await peer.login(capabilities: grants)
                        for type in [MessageType.create, .create, .batchWrite] {
                            let request = try await peer.receive(type)
                            #expect(request.payload.indices.contains { request.payload[$0...].starts(with: expected) })
                            let documents = request.fields["documents"]?.array ?? [request.fields["data"] ?? .null]
                            for document in documents { #expect(document.document?["vector"] == [0.5, -1.0]) }
                            peer.reply(["document_id": "x", "document_ids": .array(documents.map { _ in "x" })])
                        }
                        await peer.stall()
                    }) { client, _ in
                        let notes = client.database().collection("notes")
                        let models = notes.of(Vector.self)
                        try await models.insert(Vector(vector: vector))
                        try await notes.insert(["vector": .vector(vector)])
                        let result = try await models.insert(contentsOf: [
                            Vector(vector: vector), Vector(vector: vector)
                        ])
                        #expect(result.outcomes.count == 2)
                    }
                }
            }

            private struct Vector: NexaModel { var vector: [Float] }

            @Test func aPipelineBeginsWithAVectorSearch() async throws {
                try await LiveServer.run { client in
                    let films = client.database("cinema").collection("films")
                    try await fill(films)
                    let found = try await films.aggregate {
                        Stage.vectorSearch([1, 0, 0], limit: 3, scoreField: "score")
                        Stage.match(["score": ["$gt": 0.5]])
                        Stage.project("title", "score")
                    }.collect()
                    #expect(found.map { $0["title"] } == ["Alien", "Aliens"])
                }
            }
        }
    }
#endif
