import NexaClient
import NexaServer

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

@main
enum QuickStart {
    static func main() async throws {
        // A server inside this process, over a directory of its own. Yours runs elsewhere: give its URI.
        let directory = try TemporaryDirectory()
        let server = try await NexaServer.start(.ephemeral(dataDirectory: directory.path, rootPassword: "secret"))
        let client = try NexaClient(uri: "nexadb://root:secret@127.0.0.1:\(server.port ?? 0)/shop")

        let films = client.database().collection("films", of: Film.self)

        // Insert: acknowledged means on the disk.
        let id = try await films.insert(Film(title: "Out of the Past", year: 1947, genres: ["Noir", "Crime"]))
        _ = try await films.insert(contentsOf: [
            Film(title: "The Big Heat", year: 1953, genres: ["Noir"]),
            Film(title: "Singin' in the Rain", year: 1952, genres: ["Musical", "Comedy"]),
            Film(title: "Touch of Evil", year: 1958, genres: ["Noir"])
        ])

        // Read by id.
        if let film = try await films[id] { print("read: \(film.title), \(film.year)") }

        // Find: field names are checked by the compiler; documents arrive as they are needed.
        for try await film in films.find(where: { $0.genres == "Noir" && $0.year >= 1950 })
            .sort(Film.Fields.year.ascending)
        {
            print("noir: \(film.year) \(film.title)")
        }

        // Change and count.
        try await films.update(id, set: ["restored": true])
        print("restored: \(try await films.count(["restored": true]))")

        // The same documents without a model.
        let raw = client["shop"]["films"]
        print("fifties: \(try await raw.count(["year": ["$gte": 1950, "$lt": 1960]]))")

        // An error says what happened, and whether the request may have been executed.
        do {
            try await raw.insert(["_id": .string(id.rawValue), "title": "Another"])
        } catch {
            print("refused: \(error.code), \(error.delivery)")
        }

        try await films.delete(id)
        print("left: \(try await films.count())")

        await client.shutdown()
        await server.shutdown()
    }
}
