import NexaClient
import Testing

@Suite struct Queries {
    struct Film: NexaModel {
        var title: String
        var year: Int
        var genres: [String]

        enum Fields {
            static let title = Field<String>("title")
            static let year = Field<Int>("year")
            static let genres = Field<String>("genres")
        }
    }

    @Test func queries() async throws {
        try await withServer { client, _ in
            let films = client.database().collection("films", of: Film.self)
            try await films.insert(
                contentsOf: (0..<2500).map {
                    Film(title: "Film \($0)", year: 1900 + $0 % 100, genres: [$0 % 2 == 0 ? "Noir" : "Western"])
                })
            // snippet: iterate
            for try await film in films.find(where: { $0.genres == "Noir" }) {
                print(film.title)
                if film.year > 1906 { break }
            }
            // end

            // snippet: literal
            let filter: Filter = [
                "year": ["$gte": 1940, "$lt": 1950],
                "$or": [["genres": "Noir"], ["title": ["$regex": "7$"]]]
            ]
            let forties = try await films.find(filter).collect()
            // end
            #expect(forties.count == 150)

            // snippet: sort
            let newest = try await films.find()
                .sort(Film.Fields.year.descending, Film.Fields.title.ascending)
                .skip(20)
                .limit(10)
                .collect()
            // end
            #expect(newest.count == 10 && newest[0].year == 1999)

            // snippet: first
            let oldest = try await films.find().sort(Film.Fields.year.ascending).first()
            // end
            #expect(oldest?.year == 1900)

            // snippet: collect
            do throws(NexaError) {
                let every = try await films.find().collect(upTo: 1000)
                print(every.count)
            } catch {
                print(error.code, error.message)
            }
            // end

            // snippet: count
            let every = try await films.count()
            let westerns = try await films.count(where: { $0.genres == "Western" })
            // end
            #expect(every == 2500 && westerns == 1250)

            // snippet: select
            for try await document in films.find().select("title").limit(3) {
                print(document["_id"]?.string ?? "", document["title"]?.string ?? "")
            }
            // end

            // snippet: project
            let short = try await films.find()
                .project(["title": 1, "genres": ["$slice": 1], "age": ["$subtract": [2026, "$year"]]])
                .first()
            // end
            #expect(short?["title"] == "Film 0" && short?["genres"] == ["Noir"] && short?["age"] == 126)

            // snippet: options
            let slow = films.find().sort(Film.Fields.title.ascending).options(CallOptions(timeout: .seconds(60)))
            for try await film in slow.limit(5) { print(film.title) }
            // end

            // snippet: pages
            func page(behind last: DocumentID?) async throws(NexaError) -> [Document] {
                let filter: Filter = if let last { ["_id": ["$gt": last.nexaValue]] } else { .all }
                return try await films.of(Document.self).find(filter).limit(20).collect()
            }
            let firstPage = try await page(behind: nil)
            let lastID = firstPage.last?["_id"]?.string
            let secondPage = try await page(behind: lastID.map { DocumentID($0) })
            // end
            #expect(firstPage.first?["title"] == "Film 0" && secondPage.first?["title"] == "Film 20")

            // snippet: runtime
            let keys = ["year": Sort.Direction.descending].map { Sort($0.key, $0.value) }
            let page = try await films.find(["year": ["$in": [1950, 1960]]]).sort(keys).limit(100).collect()
            // end
            #expect(page.count == 50 && page[0].year == 1960)
        }
    }
}
