import NexaClient
import NexaTestSupport
import Testing

@Suite struct VectorsArticle {
    /// The reader's model: here one that knows two texts.
    private func embed(_ text: String) async throws -> [Float] { text.contains("space") ? [0.9, 0.1, 0] : [1, 0, 0] }

    @Test func searching() async throws {
        try await withServer { client, _ in
            // snippet: store
            let films = client.database().collection("films")
            try await films.insert([
                "_id": "alien", "title": "Alien", "year": 1979, "genres": ["Horror"],
                "vector": .vector(try await embed("a crew in danger"))
            ])
            // end
            try await films.insert([
                "_id": "aliens", "title": "Aliens", "year": 1986, "genres": ["Action", "Horror"],
                "vector": .vector([0.8, 0.2, 0]), "plot": ["embedding": .vector([1, 0, 0])]
            ])
            try await films.insert([
                "_id": "grease", "title": "Grease", "year": 1978, "genres": ["Musical"], "vector": .vector([0, 0, 1])
            ])
            // snippet: index
            try await films.createVectorIndex(on: "plot.embedding", dimensions: 3, metric: .dot, quantization: .float16)
            // end
            // snippet: search
            let question = try await embed("danger in space")
            for match in try await films.nearest(to: question, limit: 5) {
                print(match.similarity, match.document["title"] ?? "")
            }
            // end
            // snippet: similar
            let others = try await films.similar(to: "alien", limit: 3)
            // end
            #expect(others.map(\.id) == ["aliens", "grease"])
            // snippet: filter
            let scary: Filter = ["year": ["$gte": 1970], "genres": "Horror"]
            let found = try await films.nearest(to: question, limit: 5, filter: scary)
            let plan = try await films.explainNearest(to: question, limit: 5, filter: scary)
            print(plan.stage)
            // end
            #expect(found.map(\.id) == ["alien", "aliens"])
            // snippet: options
            let best = try await films.nearest(
                to: question, limit: 10,
                search: .init(candidates: 400, minimumSimilarity: 0.3, fields: ["title", "year"]))
            let exact = try await films.nearest(to: question, limit: 10, search: .init(isExact: true))
            // end
            #expect(best.map(\.id) == ["alien", "aliens"] && exact.count == 3)
            // snippet: build
            try await films.buildVectorIndex(maxConnections: 24, efConstruction: 300)
            for field in try await films.vectorStatistics() {
                print(field.field, field.count, field.linked, field.memoryBytes)
            }
            // end
            // snippet: pipeline
            let decades = try await films.aggregate {
                Stage.vectorSearch(question, limit: 50, scoreField: "score")
                Stage.match(["score": ["$gt": 0.2]])
                Stage.group(by: "year", ["films": .count])
            }.collect()
            // end
            #expect(decades.count == 2)
            // snippet: context
            let context = try await films.nearest(
                to: question, limit: 5, search: .init(fields: ["title", "year", "genres"]))
            let prompt = try TOONText(context.map(\.document), named: "films")
            print(prompt.text)
            // end
            #expect(prompt.text.hasPrefix("films[3]{"))
            #expect(prompt.report?.isTable == true && (prompt.statistics.tokens ?? 0) > 0)
        }
    }
}
