import Foundation
import NexaClient
import NexaValue
import Testing

/// Foundation's types, names of fields, and models read straight from the bytes.
@Suite struct ModelCodingTests {
    struct Event: NexaModel, Equatable {
        var id: UUID
        var at: Date
        var payload: Data
        var raw: [UInt8]
        var until: Date?
        var userName: String
        var tags: [String: Int]
    }

    static let event = Event(
        id: UUID(uuidString: "E621E1F8-C36C-495A-93FC-0C247A3E6E5F") ?? UUID(),
        at: Date(timeIntervalSince1970: 1_700_000_000.25),
        payload: Data([0, 1, 255]), raw: [7, 8], until: nil, userName: "ada", tags: ["bigTag": 1])

    @Test func datesUUIDsAndDataAreValuesOfTheirOwn() throws {
        let document = try Document.encode(Self.event)
        #expect(document["id"] == "E621E1F8-C36C-495A-93FC-0C247A3E6E5F")
        #expect(document["at"] == .timestamp(Timestamp(seconds: 1_700_000_000, nanoseconds: 250_000_000)))
        #expect(document["payload"] == .bytes([0, 1, 255]))
        #expect(document["raw"] == .bytes([7, 8]))
        #expect(document["until"] == nil)
        #expect(try document.decode(Event.self) == Self.event)
    }

    @Test(arguments: [
        (ModelCoding(dates: .secondsSince1970), Value.double(1_700_000_000.25)),
        (ModelCoding(dates: .millisecondsSince1970), .int(1_700_000_000_250))
    ])
    func datesCanBeNumbers(coding: ModelCoding, stored: Value) throws {
        let document = try Document.encode(Self.event, coding: coding)
        #expect(document["at"] == stored)
        #expect(try document.decode(Event.self, coding: coding) == Self.event)
    }

    @Test func uuidsCanBeBytes() throws {
        let coding = ModelCoding(uuids: .bytes)
        let document = try Document.encode(Self.event, coding: coding)
        #expect(document["id"]?.bytes?.count == 16)
        #expect(document["id"]?.bytes?.first == 0xE6)
        #expect(try document.decode(Event.self, coding: coding) == Self.event)
    }

    @Test func snakeCaseNamesFieldsButNotTheKeysOfDictionaries() throws {
        let coding = ModelCoding(keys: .snakeCase)
        let document = try Document.encode(Self.event, coding: coding)
        #expect(document["user_name"] == "ada")
        #expect(document["tags"] == ["bigTag": 1])
        #expect(try document.decode(Event.self, coding: coding) == Self.event)
        struct Names: Codable {
            var userID = 1
            var httpURL = 2
            var _id = "x"
            var line2Text = 3
            var plain = 4
        }
        let names = try Document.encode(Names(), coding: coding)
        #expect(names.keys == ["user_id", "http_url", "_id", "line2_text", "plain"])
        #expect(try names.decode(Names.self, coding: coding).httpURL == 2)
    }

    @Test(arguments: [
        ("2026-01-31T12:30:05Z", 1_769_862_605.0), ("2026-01-31T12:30:05.5Z", 1_769_862_605.5),
        ("2026-01-31T12:30:05", 1_769_862_605), ("2026-01-31T14:30:05+02:00", 1_769_862_605),
        ("2026-01-31 07:00:05-0530", 1_769_862_605), ("1969-12-31T23:59:59Z", -1),
        ("0001-01-01T00:00:00Z", -62_135_596_800)
    ])
    func textOfISO8601ReadsAsADate(text: String, seconds: Double) throws {
        struct Stamped: Codable { var at: Date }
        #expect(try (["at": .string(text)] as Document).decode(Stamped.self).at.timeIntervalSince1970 == seconds)
    }

    @Test(arguments: [
        "", "yesterday", "2026-13-01T00:00:00Z", "2026-01-01T25:00:00Z", "2026-01-01T00:00:00Zx",
        "2026-01-01T00:00:00+1"
    ])
    func otherTextIsNoDate(text: String) {
        struct Stamped: Codable { var at: Date }
        #expect(throws: NexaError.self) { try (["at": .string(text)] as Document).decode(Stamped.self) }
    }

    /// A model whose fields come in another order, with fields that it does not know between them.
    @Test func theOrderOfFieldsDoesNotMatter() throws {
        struct Point: Codable, Equatable { var x: Int, y: Int, name: String? }
        let document: Document = ["other": [1, ["deep": [2]]], "y": 2, "more": "text", "name": nil, "x": 1]
        #expect(try document.decode(Point.self) == Point(x: 1, y: 2, name: nil))
    }

    @Test func aModelThatContainsItselfEndsAtTheDepthLimit() throws {
        final class Node: Codable { var next: [Node]? }
        // Hostile bytes of this shape must end in an error, not at the end of the stack.
        var value = Value.document([:])
        for _ in 0..<99 { value = ["next": [value]] }
        #expect(throws: NexaError.self) { try value.decode(Node.self) }
        value = .document([:])
        for _ in 0..<20 { value = ["next": [value]] }
        #expect(throws: Never.self) { try value.decode(Node.self) }
    }

    @Test func emptyArraysStayArrays() throws {
        struct Lists: Codable, Equatable { var texts: [String] = [], bytes: [UInt8] = [] }
        let document = try Document.encode(Lists())
        #expect(document == ["texts": [], "bytes": .bytes([])])
        #expect(try document.decode(Lists.self) == Lists())
        #expect(try (["texts": [], "bytes": [1, 2]] as Document).decode(Lists.self).bytes == [1, 2])
    }
}
