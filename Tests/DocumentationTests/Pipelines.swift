import NexaClient
import NexaTestSupport
import Testing

@Suite struct Pipelines {
    struct Film: NexaModel {
        var title: String
        var year: Int
    }

    @Test func pipelines() async throws {
        try await withServer { client, _ in
            let films = client.database().collection("films", of: Film.self)
            let id = try await films.insert(Film(title: "Laura", year: 1944))
            // snippet: pipeline
            let (film, total, removed) = await client.pipeline(
                films.requests.read(id), films.requests.count(), films.requests.delete("nobody"))
            print(try film.get()?.title ?? "none", try total.get(), try removed.get())
            // end
            #expect(try total.get() == 1 && !removed.get())

            // snippet: outcomes
            let (added, counted, alive) = await client.pipeline(
                films.requests.insert(Film(title: "Gilda", year: 1946)),
                films.requests.count(["year": ["$nope": 1]]),
                .ping)
            if case .failure(let error) = counted { print(error.code, error.delivery) }
            // end
            #expect(try films.name == "films" && added.get().rawValue.count == 32 && alive.get())
            let error = #expect(throws: NexaError.self) { try counted.get() }
            #expect(error?.code == .invalidRequest)

            let ids: [DocumentID] = [id, "nobody"]
            // snippet: many
            let titles = try await withThrowingTaskGroup(of: String?.self) { group in
                for id in ids { group.addTask { try await films[id]?.title } }
                return try await group.reduce(into: [String]()) { titles, title in
                    if let title { titles.append(title) }
                }
            }
            // end
            #expect(titles == ["Laura"])
        }
    }

    @Test func connections() async throws {
        try await withServer { client, _ in
            let films = client.database().collection("films", of: Film.self)
            let id = try await films.insert(Film(title: "Laura", year: 1944))
            // snippet: connection
            let seen = try await client.withConnection { connection in
                let films = connection.database().collection("films", of: Film.self)
                try await films.update(id, set: ["seen": true])
                return try await films[id]
            }
            // end
            #expect(seen?.title == "Laura")

            // snippet: together
            let counts = try await client.withConnection(CallOptions(timeout: .seconds(10))) { connection in
                let films = connection.database()["films"]
                let (all, seen) = await connection.pipeline(
                    films.requests.count(), films.requests.count(["seen": true]))
                return (try all.get(), try seen.get())
            }
            // end
            #expect(counts == (1, 1))
        }
    }

    @Test func broken() async throws {
        try await withScript({ peer in
            try await peer.login()
            try await peer.receive()
            peer.cut()
        }) { client in
            // snippet: broken
            do {
                try await client.withConnection { connection in
                    let films = connection.database()["films"]
                    try await films.update("laura", set: ["seen": true])
                    try await films.update("laura", set: ["rated": true])
                }
            } catch let error as NexaError where error.code == .connectionLost {
                print("perhaps the first update was executed; start again from a read")
            }
            // end
        }
    }
}
