#if canImport(NexaServer)
    import NexaClient
    import NexaServer
    import NexaTOON
    import TestKit
    import Testing

    extension ClientTests {
        @Suite struct TOONTexts {
            struct Town: NexaModel, Equatable {
                var _id: String
                var people: Int
                var tags: [String] = []
                var mayor: Mayor?
            }
            struct Mayor: Codable, Equatable, Sendable { var name: String }

            static let towns = [
                Town(_id: "a", people: 5, tags: ["x", "y"], mayor: Mayor(name: "Ada")), Town(_id: "b", people: 3)
            ]

            @Test func resultsBecomeText() async throws {
                try await LiveServer.run { client in
                    let towns = client.database().collection("towns", of: Town.self)
                    _ = try await towns.insert(contentsOf: Self.towns)
                    let query = towns.find().sort(Sort("people")).select("people", "tags", "mayor")
                    let prompt = try await query.toon(.prompt, delimiter: .pipe)
                    #expect(
                        prompt.text == """
                            collection: towns
                            documents[2|]{_id|people|tags|mayor.name}:
                              b|3|""|null
                              a|5|x; y|Ada
                            count: 2
                            """)
                    #expect(prompt.count == 2 && prompt.report?.isTable == true && prompt.report?.filledCount == 1)
                    #expect(prompt.statistics.bytes == prompt.text.utf8.count)
                    #expect((prompt.statistics.compactJSONTokens ?? 0) > (prompt.statistics.tokens ?? 0))
                    let limited = try await towns.find().limit(1).toon()
                    #expect(limited.count == 1 && limited.report?.isTable == false)
                }
            }

            @Test func aCollectionGoesOutAndIn() async throws {
                try await LiveServer.run { client in
                    let towns = client.database().collection("towns", of: Town.self)
                    _ = try await towns.insert(contentsOf: Self.towns)
                    let text = try await towns.exportTOON().text
                    let copies = client.database().collection("copies", of: Town.self)
                    let imported = try await copies.importTOON(text)
                    #expect(imported.count == 2 && imported.firstIDs == ["a", "b"])
                    let read = try await copies.find().collect()
                    #expect(read == Self.towns)
                    await #expect { try await copies.importTOON(text) } throws: {
                        ($0 as? NexaError)?.code == .duplicateID
                    }
                    _ = try await copies.importTOON(text, replacing: true)
                    let error = await #expect(throws: NexaError.self) {
                        try await copies.importTOON("a: 1\nb[2]: x", replacing: true)
                    }
                    #expect(error?.code == .invalidRequest)
                    #expect(error?.serverMessage?.contains("line 2 column 2") == true, "\(String(describing: error))")
                    let lenient = try await copies.importTOON("[9]{_id,people}:\n  c,1", isLenient: true)
                    #expect(lenient.count == 1)
                }
            }

            @Test func modelsAreWrittenAndRead() throws {
                let text = try NexaTOONEncoder().encode(Self.towns)
                #expect(
                    text.hasPrefix("[2]:\n  - _id: a\n    people: 5\n    tags[2]: x,y\n    mayor:\n      name: Ada"))
                #expect(try NexaTOONDecoder().decode([Town].self, from: text) == Self.towns)
                #expect(
                    try NexaTOONEncoder(.init(delimiter: .pipe)).encode([Mayor(name: "B|b")])
                        == "[1|]{name}:\n  \"B|b\"")
                let malformed = #expect(throws: NexaError.self) {
                    try NexaTOONDecoder().decode([Town].self, from: "[2]{_id}:\n  a")
                }
                #expect(malformed?.code == .decoding && malformed?.underlying is TOONError)
                let misfit = #expect(throws: NexaError.self) {
                    try NexaTOONDecoder().decode(Mayor.self, from: "name: 5")
                }
                #expect("\(String(describing: misfit))".contains("name"))
            }
        }
    }
#endif
