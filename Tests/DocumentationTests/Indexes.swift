import NexaClient
import Testing

@Suite struct Indexes {
    struct Film: NexaModel {
        var title: String
        var year: Int
        var genres: [String]
        var isbn: String?

        enum Fields {
            static let title = Field<String>("title")
            static let year = Field<Int>("year")
            static let genres = Field<String>("genres")
        }
    }

    @Test func indexes() async throws {
        try await withServer { client, _ in
            let films = client.database().collection("films", of: Film.self)
            try await films.insert(
                contentsOf: (0..<2500).map {
                    Film(title: "Film \($0)", year: 1900 + $0 % 100, genres: [$0 % 2 == 0 ? "Noir" : "Western"])
                })
            // snippet: create
            try await films.createIndex([.ascending("genres"), .descending("year")])
            let newest = try await films.find(where: { $0.genres == "Noir" })
                .sort(Film.Fields.year.descending)
                .limit(10)
                .collect()
            // end
            #expect(newest.map(\.year) == [Int](repeating: 1998, count: 10))

            // snippet: progress
            try await films.createIndex([.ascending("title")], name: "by_title") { scanned, total in
                print("looked at \(scanned) of about \(total) documents")
            }
            for index in try await films.indexes() {
                print(index.name, index.keys, index.state)
            }
            // end
            #expect(try await films.indexes().map(\.name) == ["genres_1_year_-1", "by_title"])

            // snippet: unique
            do throws(NexaError) {
                try await films.createIndex([.ascending("isbn")], unique: true, partial: ["isbn": ["$exists": true]])
                try await films.insert(Film(title: "Laura", year: 1944, genres: ["Noir"], isbn: "1"))
                try await films.insert(Film(title: "Gilda", year: 1946, genres: ["Noir"], isbn: "1"))
            } catch {
                print(error.code == .duplicateKey)
            }
            // end
            #expect(try await films.count() == 2501)

            // snippet: expire
            let sessions = client.database().collection("sessions")
            try await sessions.createIndex([.ascending("_created_at")], expireAfter: .seconds(3600))
            // end
            #expect(try await sessions.indexes().first?.expireAfter == .seconds(3600))

            // snippet: explain
            let plan = try await films.find(where: { $0.title == "Film 7" }).explain()
            print(plan.winningPlan.stage)  // IXSCAN
            print(plan.winningPlan.index ?? "none", plan.winningPlan.bounds)
            print(plan.keysExamined, plan.documentsExamined, plan.returned, plan.elapsed)
            // end
            #expect(plan.winningPlan.stage == "IXSCAN" && plan.documentsExamined == 1)

            // snippet: hint
            let scanned = try await films.find(where: { $0.title == "Film 7" }).hint("_id_").explain()
            print(scanned.winningPlan.stage, scanned.documentsExamined)  // COLLSCAN 2501
            // end
            #expect(scanned.winningPlan.stage == "COLLSCAN" && scanned.documentsExamined == 2501)

            // snippet: statistics
            let statistics = try await films.statistics()
            print(statistics.documents, statistics.bytes, statistics.averageBytes)
            for index in statistics.indexes { print(index.name, index.entries, index.bytes) }
            try await films.dropIndex("by_title")
            // end
            #expect(statistics.documents == 2501 && statistics.isExact)
        }
    }
}
