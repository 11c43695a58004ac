import Foundation
import NexaClient
import Testing

@Suite struct Models {
    // snippet: user
    struct User: NexaModel {
        var id: DocumentID?
        var name: String
        var address: Address
        var role: Role

        struct Address: Codable, Sendable {
            var city: String
        }

        enum Role: String, Codable, Sendable {
            case guest, member
        }

        enum CodingKeys: String, CodingKey {
            case id = "_id"
            case name, address, role
        }

        enum Fields {
            static let name = Field<String>("name")
            static let city = Field<String>("address.city")
            static let role = Field<Role>("role")
        }
    }
    // end

    // snippet: event
    struct Event: NexaModel {
        var eventID: UUID
        var startsAt: Date
        var poster: Data
    }
    // end

    @Test func users() async throws {
        try await withServer { client, _ in
            // snippet: ids
            let users = client.database().collection("users", of: User.self)
            let ada = User(id: "ada", name: "Ada", address: .init(city: "London"), role: .member)
            let bob = User(name: "Bob", address: .init(city: "Paris"), role: .guest)
            let chosen = try await users.insert(ada)
            let made = try await users.insert(bob)
            // end
            #expect(chosen == "ada" && made.rawValue.count == 32)
            #expect(try await users[made]?.id == made)

            // snippet: filters
            let londoners = try await users.find(where: { $0.city == "London" && $0.role == .member }).collect()
            let others = try await users.count(where: { !($0.name == "Ada") || $0.city.matches(regex: "^P") })
            // end
            #expect(londoners.map(\.name) == ["Ada"] && others == 1)

            // snippet: mismatch
            struct Strict: NexaModel { var name: Int }
            do throws(NexaError) {
                _ = try await users.of(Strict.self)["ada"]
            } catch {
                print(error.code, error.message)
            }
            // end
            do throws(NexaError) {
                _ = try await users.of(Strict.self)["ada"]
                Issue.record("text is no number")
            } catch {
                #expect(error.code == .decoding)
                #expect(error.message.contains("name: expected Int, found string"))
            }

            // snippet: partial
            struct Name: NexaModel { var name: String }
            let names = try await users.of(Name.self).find().collect()
            // end
            #expect(names.map(\.name).sorted() == ["Ada", "Bob"])

            // snippet: documents
            let document = try Document.encode(ada)
            let city = document[path: "address.city"]?.string
            let same = try document.decode(User.self)
            // end
            #expect(city == "London" && same.id == "ada")
        }
    }

    @Test func events() async throws {
        try await withServer { client, _ in
            let event = Event(eventID: UUID(), startsAt: Date(timeIntervalSince1970: 1_700_000_000), poster: Data([1]))
            // snippet: coding
            let coding = ModelCoding(keys: .snakeCase, dates: .timestamp, uuids: .text)
            let events = client.database().collection("events", of: Event.self, coding: coding)
            let id = try await events.insert(event)
            // end
            let stored = try await client.database()["events"][id]
            #expect(stored?["starts_at"] == .timestamp(Timestamp(seconds: 1_700_000_000)))
            #expect(stored?["event_id"] == .string(event.eventID.uuidString))
            #expect(stored?["poster"] == .bytes([1]))

            // snippet: date
            let since = Timestamp(seconds: 1_600_000_000)
            let recent = try await events.count(["starts_at": ["$gte": .timestamp(since)]])
            // end
            #expect(recent == 1)
        }
    }
}

// snippet: convertible
extension Models.User.Role: NexaValueConvertible {
    var nexaValue: Value { .string(rawValue) }
}
// end
