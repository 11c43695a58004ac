import NexaClient
import Testing

@Suite(.timeLimit(.minutes(20))) struct ChangeStreams {
    struct Film: NexaModel {
        var title: String
        var year: Int
    }

    // snippet: follow
    func follow(_ films: NexaCollection<Film>, from start: ChangeStart) async throws -> ResumeToken? {
        let kinds: Set<ChangeKind> = [.insert, .update, .delete, .dropCollection]
        for try await (change, token) in films.watch(kinds, from: start) {
            switch change {
            case .inserted(let id, let film): print("\(id) is \(film.title)")
            case .updated(let id, let changed, removed: _, full: _): print("\(id) has new \(changed.keys)")
            case .deleted(let id): print("\(id) is gone")
            case .dropped: return token
            case .gap: print("changes may be missing: read the documents again")
            }
        }
        return nil
    }
    // end

    @Test func watching() async throws {
        try await withServer { client, _ in
            let films = client.database().collection("films", of: Film.self)
            try await films.insert(Film(title: "Laura", year: 1944))
            // snippet: begin
            var changes = films.watch([.insert], where: ["year": ["$gte": 1950]]).makeAsyncIterator()
            let start = try await changes.begin()
            let known = try await films.find().collect()
            // end
            #expect(known.count == 1)
            try await films.insert(Film(title: "Gilda", year: 1946))
            let id = try await films.insert(Film(title: "The Big Heat", year: 1953))
            // snippet: next
            if let (change, _) = try await changes.next(), case .inserted(_, let film) = change {
                print("new: \(film.title)")
            }
            // end
            try await films.update(id, set: ["year": 1954])
            try await films.delete(id)
            try await films.drop()

            let place = try #require(start)
            let end = try await follow(films, from: .after(place))
            #expect(end != nil)

            // snippet: token
            let stored = place.description
            let restored = ResumeToken(stored)
            // end
            #expect(restored == place)

            // snippet: database
            for try await (change, source, _) in client.database().watch(from: .after(place)) {
                print(source.collection ?? "", change)
                break
            }
            // end
        }
    }

    @Test func misfits() async throws {
        try await withServer { client, _ in
            let films = client.database().collection("films", of: Film.self)
            var beginning = films.watch().makeAsyncIterator()
            let place = try #require(try await beginning.begin())
            let last = try await films.of(Document.self).insert(["title": 5])
            try await films.delete(last)
            // snippet: misfit
            var changes = films.watch(from: .after(place)).makeAsyncIterator()
            while true {
                do throws(NexaError) {
                    guard let (change, _) = try await changes.next() else { break }
                    if case .deleted(let id) = change, id == last { break }
                } catch {
                    guard error.code == .decoding else { throw error }
                    print("passed over: \(error.message)")
                }
            }
            // end
        }
    }

    @Test func history() async throws {
        var foreign: ResumeToken?
        try await withServer { client, _ in
            var changes = client.watch().makeAsyncIterator()
            foreign = try await changes.begin()
        }
        let token = try #require(foreign)
        try await withServer { client, _ in
            let films = client.database().collection("films", of: Film.self)
            // snippet: lost
            var changes = films.watch(from: .after(token)).makeAsyncIterator()
            do throws(NexaError) {
                try await changes.begin()
            } catch {
                guard error.code == .changeHistoryLost else { throw error }
                changes = films.watch(from: .now).makeAsyncIterator()
                try await changes.begin()
                print("\(try await films.count()) films to read again")
            }
            // end
            try await films.insert(Film(title: "Laura", year: 1944))
            let change = try await changes.next()?.change
            guard case .inserted = change else {
                Issue.record("\(String(describing: change))")
                return
            }
        }
    }
}
