import NexaClient
import NexaTestSupport
import Testing

@Suite struct TOONArticle {
    struct Film: NexaModel, Equatable {
        var title: String
        var year: Int
    }

    @Test func texts() async throws {
        try await withServer { client, _ in
            let films = client.database().collection("films")
            try await films.insert([
                "_id": "a", "title": "Alien", "year": 1979, "cast": ["Weaver", "Holm"], "studio": ["name": "Fox"],
                "vector": .array((0..<40).map { .double(Double($0)) })
            ])
            try await films.insert(["_id": "b", "title": "Aliens", "year": 1986])
            // snippet: result
            let answer = try await films.find(Field<Int>("year") >= 1980).toon()
            print(answer.text)
            // end
            #expect(answer.text.hasPrefix("collection: films\ndocuments[1]{_id,"))
            // snippet: prompt
            let prompt = try await films.find()
                .sort(Sort("year"))
                .select("title", "year", "cast", "studio")
                .toon(.prompt, delimiter: .pipe)
            // end
            #expect(
                prompt.text == """
                    collection: films
                    documents[2|]{_id|title|year|cast|studio.name}:
                      a|Alien|1979|Weaver; Holm|Fox
                      b|Aliens|1986|null|null
                    count: 2
                    """)
            // snippet: report
            for path in prompt.report?.omitted ?? [] {
                print("left out: \(path)")
            }
            // end
            // snippet: statistics
            if let tokens = prompt.statistics.tokens, let json = prompt.statistics.compactJSONTokens {
                print("\(tokens) tokens in place of \(json)")
            }
            // end
            #expect(prompt.statistics.tokens != nil)
            // snippet: export
            let text = try await films.exportTOON().text
            let copies = client.database().collection("copies")
            let imported = try await copies.importTOON(text, replacing: true)
            // end
            #expect(imported.count == 2)
        }
    }

    @Test func models() throws {
        // snippet: models
        let list = try NexaTOONEncoder().encode([Film(title: "Alien", year: 1979)])
        let read = try NexaTOONDecoder(.lenient).decode([Film].self, from: list)
        // end
        #expect(read == [Film(title: "Alien", year: 1979)])
    }
}
