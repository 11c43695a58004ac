import NexaClient
import Testing

@Suite struct ComingFromPostgresNIO {
    struct User: NexaModel {
        var name: String
        var age: Int

        enum Fields {
            static let age = Field<Int>("age")
        }
    }

    @Test func calls() async throws {
        try await withServer { other, _ in
            let configuration = other.configuration
            // snippet: service
            let client = NexaClient(configuration)
            let service = Task { await client.run() }
            // end
            let users = client.database().collection("users", of: User.self)
            let id = try await users.insert(User(name: "Ada", age: 36))
            // snippet: rows
            let minimum = 18
            for try await user in users.find(where: { $0.age >= minimum }).sort(User.Fields.age.ascending) {
                print(user.name, user.age)
            }
            // end

            // snippet: row
            if let user = try await users[id] { print(user.name) }
            // end

            // snippet: error
            do throws(NexaError) {
                _ = try await users.update(id, set: ["age": 37])
            } catch {
                print(error.code, error.isSafeToRetry)
                throw error
            }
            // end

            // snippet: stop
            service.cancel()
            await service.value
            // end
            let error = await #expect(throws: NexaError.self) { try await client.ping() }
            #expect(error?.code == .shutDown)
        }
    }
}
