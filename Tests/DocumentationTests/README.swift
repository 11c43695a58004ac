// snippet: program
import NexaClient

struct Film: NexaModel {
    var title: String
    var year: Int
    var genres: [String]

    enum Fields {
        static let year = Field<Int>("year")
        static let genres = Field<String>("genres")
    }
}

// end
import Testing

@Suite(.timeLimit(.minutes(20))) struct README {
    @Test func clients() throws {
        // more
        let client = try NexaClient(uri: "nexadb://root:secret@localhost:6970/shop")
        // end
        #expect(client.configuration.database == "shop")
    }

    @Test func program() async throws {
        try await withServer { client, _ in
            // more
            let films = client.database().collection("films", of: Film.self)

            let id = try await films.insert(Film(title: "Out of the Past", year: 1947, genres: ["Noir"]))
            let film = try await films[id]  // nil when there is none

            for try await film in films.find(where: { $0.genres == "Noir" && $0.year >= 1940 }) {
                print(film.title)
            }

            try await films.update(id, set: ["restored": true])
            let count = try await films.count(["year": ["$gte": 1940, "$lt": 1950]])
            // end
            #expect(film?.title == "Out of the Past" && count == 1)

            // snippet: together
            // Several requests in one write; each has its own outcome.
            let (noir, total) = await client.pipeline(films.requests.read(id), films.requests.count())

            // A connection for one user: its calls are executed in order.
            let seen = try await client.withConnection { connection in
                let films = connection.database().collection("films", of: Film.self)
                try await films.update(id, set: ["seen": true])
                return try await films[id]
            }
            // end
            #expect(try noir.get()?.year == 1947 && total.get() == 1 && seen?.year == 1947)
        }
    }

    @Test func encryption() throws {
        // snippet: tls
        let client = try NexaClient(uri: "nexadbs://root:secret@db.example/shop?caFile=/etc/nexadb/ca.pem")
        // end
        #expect(client.configuration.tls == .required(.init(caFile: "/etc/nexadb/ca.pem")))
    }

    @Test func semanticSearch() async throws {
        func embed(_ text: String) async throws -> [Float] { text.contains("submarine") ? [1, 0] : [0, 1] }
        try await withServer { client, _ in
            let films = client.database().collection("films")
            try await films.insert([
                "title": "Below", "year": 2002, "cast": ["Bruce Greenwood", "Olivia Williams"],
                "genres": ["War", "Horror"], "vector": [1, 0.1]
            ])
            // snippet: semantic
            let question = try await embed("a submarine crew in danger")  // by the model that made the films' vectors
            let found = try await films.nearest(
                to: question, limit: 5, filter: ["year": ["$gte": 1980], "genres": "Horror"],
                search: .init(fields: ["title", "year", "cast", "genres"]))
            let prompt = try TOONText(found.map(\.document), named: "films")
            // end
            #expect(prompt.text.hasSuffix("Below,2002,Bruce Greenwood; Olivia Williams,War; Horror"))
        }
    }

    @Test func changes() async throws {
        try await withServer { client, _ in
            let films = client.database().collection("films", of: Film.self)
            let watching = Task {
                // snippet: watch
                for try await (change, token) in films.watch([.insert, .update], where: ["year": ["$gte": 1940]]) {
                    if case .inserted(let id, let film) = change { print(id, film.title, token as Any) }
                }
                // end
            }
            while client.poolSnapshot.leased == 0 { await Task.yield() }
            try await films.insert(Film(title: "Laura", year: 1944, genres: ["Noir"]))
            watching.cancel()
            let error = await #expect(throws: NexaError.self) { try await watching.value }
            #expect(error?.code == .cancelled)
        }
    }
}
