import Foundation
import NexaValue
import Testing

@testable import NexaClient

@Suite struct FieldComparisonTests {
    enum Genre: String, Codable { case noir = "Noir", western = "Western" }
    enum F {
        static let id = Field<DocumentID>("_id"), at = Field<Timestamp>("at"), genre = Field<Genre>("genre")
        static let seen = Field<Date>("seen"), token = Field<UUID>("token"), raw = Field<Data>("raw")
        static let seconds = Field<Date>("seen", coding: .init(dates: .secondsSince1970, uuids: .bytes))
        static let bytes = Field<UUID>("token", coding: .init(uuids: .bytes))
    }
    static let noon = Timestamp(seconds: 1_700_000_000, nanoseconds: 500_000_000)
    static let date = Date(timeIntervalSince1970: 1_700_000_000.5)
    static let uuid = UUID(uuid: (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16))

    static let rows: [(Filter, Document)] = [
        (F.id == "a", ["_id": "a"]), (F.id > "a" && F.id <= "b", ["_id": ["$gt": "a", "$lte": "b"]]),
        (F.id.isIn(["a", "b"]), ["_id": ["$in": ["a", "b"]]]),
        (F.at >= noon, ["at": ["$gte": .timestamp(noon)]]), (F.at != noon, ["at": ["$ne": .timestamp(noon)]]),
        (F.seen < date, ["seen": ["$lt": .timestamp(noon)]]), (F.seen == date, ["seen": ["$eq": .timestamp(noon)]]),
        (F.seconds >= date, ["seen": ["$gte": 1_700_000_000.5]]),
        (F.token == uuid, ["token": ["$eq": "01020304-0506-0708-090A-0B0C0D0E0F10"]]),
        (F.bytes.isNotIn([uuid]), ["token": ["$nin": [.bytes(Array(1...16))]]]),
        (F.raw != Data([1]), ["raw": ["$ne": .bytes([1])]]), (F.genre == .noir, ["genre": ["$eq": "Noir"]]),
        (F.genre.isIn([.noir, .western]), ["genre": ["$in": ["Noir", "Western"]]])
    ]

    @Test(arguments: rows) func valuesAreComparedAsTheyAreStored(filter: Filter, document: Document) {
        #expect(filter.document == document)
    }

    @Test func idsAndTimesAreOrderedAsTheServerOrdersThem() {
        // By bytes, where Swift's text would put the composed letter beside the plain one.
        #expect((["z", "é", "a"] as [DocumentID]).sorted() == ["a", "z", "é"])
        #expect(Timestamp(seconds: -1, nanoseconds: 999_999_999) < Timestamp(seconds: 0))
    }

    @Test func whatCannotBeStoredIsRefusedByEveryServer() {
        struct Odd: Encodable, Equatable, Sendable {
            func encode(to encoder: any Encoder) throws {
                throw EncodingError.invalidValue(1, .init(codingPath: [], debugDescription: "odd"))
            }
        }
        let filter = Field<Odd>("odd") == Odd()
        #expect(filter.document["odd"]?.document?.keys.first == "$unencodable")
        #expect(filter.usesLogic)
    }
}
