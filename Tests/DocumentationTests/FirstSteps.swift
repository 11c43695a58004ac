import NexaClient
import Testing

@Suite struct FirstSteps {
    // snippet: film
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
    // end

    @Test func making() async throws {
        // snippet: client
        let client = try NexaClient(uri: "nexadb://root:secret@localhost:6970/shop")
        // end
        #expect(client.configuration.database == "shop")
        // snippet: shutdown
        await client.shutdown(drainingFor: .seconds(5))
        // end
        let environment = ["NEXADB_URI": "nexadb://root:secret@localhost:6970/shop"]
        // snippet: environment
        let configuration = try NexaConfiguration(environment: environment)
        try await NexaClient.withClient(configuration) { client in
            print("a client of \(client.configuration.endpoints)")
        }
        // end
        #expect(configuration == client.configuration)
    }

    @Test func failing() async throws {
        // Nobody listens there.
        let client = try NexaClient(uri: "nexadb://root:secret@127.0.0.1:1/shop")
        // snippet: ping
        do throws(NexaError) {
            try await client.ping()
        } catch {
            print(error)
        }
        // end
        let error = await #expect(throws: NexaError.self) { try await client.ping() }
        #expect(error?.code == .connectFailed && error?.delivery == .notSent)
        #expect(error?.description.contains("is the server running there?") == true)
        await client.shutdown()
    }

    @Test func using() async throws {
        try await withServer { client, _ in
            // snippet: insert
            let films = client.database().collection("films", of: Film.self)
            let id = try await films.insert(Film(title: "Out of the Past", year: 1947, genres: ["Noir"]))
            // end

            // snippet: read
            if let film = try await films[id] {
                print(film.title)
            }
            // end

            // snippet: find
            for try await film in films.find(where: { $0.genres == "Noir" && $0.year >= 1940 }) {
                print(film.title)
            }
            // end

            // snippet: change
            let isThere = try await films.update(id, set: ["year": 1946, "restored": true])
            let restored = try await films.count(["restored": true])
            let wasThere = try await films.delete(id)
            // end
            #expect(isThere && wasThere && restored == 1)

            // snippet: free
            let notes = client["shop"]["notes"]
            let note = try await notes.insert(["text": "Call Ada", "tags": ["phone", "today"]])
            let text = try await notes[note]?["text"]?.string
            // end
            #expect(text == "Call Ada")

            // snippet: bulk
            let result = try await films.insert(contentsOf: [
                Film(title: "The Big Heat", year: 1953, genres: ["Noir"]),
                Film(title: "Touch of Evil", year: 1958, genres: ["Noir"])
            ])
            print("\(result.succeeded) inserted; the first failure: \(String(describing: result.firstError))")
            // end
            #expect(result.succeeded == 2)
        }
    }
}
