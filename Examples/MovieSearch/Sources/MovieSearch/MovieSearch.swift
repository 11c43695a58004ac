import NexaClient
import NexaServer

/// Semantic search over films: by theme, by theme within years and genres, by another film; the answer as TOON, ready for
/// the prompt of a language model.
@main
enum MovieSearch {
    static func main() async {
        do {
            let arguments = try Arguments(CommandLine.arguments.dropFirst())
            let library = try FilmLibrary(arguments.data)
            guard !arguments.listsThemes else { return library.themes.forEach { print($0.text) } }
            let theme = try library.theme(like: arguments.theme)

            // A server inside this process, over a directory of its own. With --server the films go to yours.
            let directory = try TemporaryDirectory()
            let server =
                arguments.server == nil
                ? try await NexaServer.start(.ephemeral(dataDirectory: directory.path, rootPassword: "secret")) : nil
            let client = try NexaClient(
                uri: arguments.server ?? "nexadb://root:secret@127.0.0.1:\(server?.port ?? 0)/cinema")
            do {
                try await search(client.database(), library, theme)
            } catch {
                await client.shutdown()
                await server?.shutdown()
                throw error
            }
            await client.shutdown()
            await server?.shutdown()
        } catch {
            Terminal.fail("\(error)")
        }
    }

    static func search(_ database: NexaDatabase, _ library: FilmLibrary, _ theme: Theme) async throws {
        let films = database.collection("movie_search")

        // Import. The first vector makes the index of the field `vector`; each film can be found once it is acknowledged.
        // A second run over the same server finds them there.
        var count = try await films.count()
        if count == 0 {
            for batch in try library.batches(of: 1000) {
                _ = try await films.insert(contentsOf: batch)
                count += batch.count
                Terminal.progress("imported \(count) films")
            }
        }
        print("\(count) films")

        // Build. The server links what was imported into its graph in the background, and compares with the rest one by
        // one until then: a search does not have to wait for it, only its figures are nicer.
        while let index = try await films.vectorStatistics().first, index.linked < index.count {
            Terminal.progress("linked \(index.linked) of \(index.count)")
            try await Task.sleep(for: .milliseconds(100))
        }
        Terminal.progress(nil)

        // Search by theme. The vector comes from the model that made the films' vectors.
        print("\nNearest to “\(theme.text)”:")
        let nearest = try await films.nearest(to: theme.vector, limit: 5)
        nearest.forEach(show)

        // With a filter, which acts inside the search: five films when there are five that it means, however rare.
        let thrillers: Filter = ["year": ["$gte": 1980], "genres": ["$in": ["Thriller", "Horror", "Crime"]]]
        print("\nThe same since 1980, only Thriller, Horror or Crime:")
        let filtered = try await films.nearest(to: theme.vector, limit: 5, filter: thrillers)
        filtered.forEach(show)
        print("searched by \(try await films.explainNearest(to: theme.vector, limit: 5, filter: thrillers).stage)")

        // By a film in place of a theme.
        guard let first = nearest.first else { return }
        print("\nSimilar to \(first.document["title"]?.string ?? ""):")
        try await films.similar(to: first.id, limit: 3).forEach(show)

        // For a prompt: a table of the fields that the model shall see.
        let context = try await films.nearest(
            to: theme.vector, limit: 5, search: .init(fields: ["title", "year", "cast", "genres"]))
        let prompt = try TOONText(context.map { $0.document.without("_id") }, named: "films")
        print("\nFor a prompt:\n\(prompt.text)")
        if let tokens = prompt.statistics.tokens, let json = prompt.statistics.compactJSONTokens {
            print("\nabout \(tokens) tokens; compact JSON takes about \(json)")
        }
    }

    static func show(_ match: VectorMatch<Document>) {
        let film = match.document
        let genres = (film["genres"]?.array ?? []).compactMap(\.string).joined(separator: ", ")
        print("  \(percent(match.similarity))  \(film["year"]?.int ?? 0)  \(film["title"]?.string ?? "") (\(genres))")
    }

    /// 0.754 as " 75 %".
    static func percent(_ share: Double) -> String {
        let digits = String(Int((share * 100).rounded()))
        return String(repeating: " ", count: max(0, 3 - digits.count)) + digits + " %"
    }
}

extension Document {
    fileprivate func without(_ key: String) -> Document {
        var copy = self
        copy[key] = nil
        return copy
    }
}
