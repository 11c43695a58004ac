import NexaClient
import Testing

@Suite struct ComingFromMongoKitten {
    struct User: NexaModel {
        var name: String
        var age: Int

        enum Fields {
            static let name = Field<String>("name")
            static let age = Field<Int>("age")
        }
    }

    @Test func calls() async throws {
        try await withServer { client, _ in
            // snippet: calls
            let users = client.database().collection("users", of: User.self)
            let id = try await users.insert(User(name: "Ada", age: 36))
            let adults = try await users.find(where: { $0.age >= 18 }).sort(User.Fields.age.descending).collect()
            let ada = try await users.find(["name": "Ada"]).first()
            try await users.update(id, set: ["age": 37])
            try await users.delete(id)
            // end
            #expect(adults.count == 1 && ada?.age == 36)

            try await users.insert(User(name: "Bob", age: 17))
            // snippet: many
            try await users.updateMany(User.Fields.age < 18, .set("minor", true))
            // end
            let minors = try await users.count(["minor": true])
            #expect(minors == 1)
        }
    }
}
