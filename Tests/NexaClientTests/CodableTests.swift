import NexaClient
import Testing

@Suite struct CodableTests {
    struct Line: Codable, Equatable {
        var name: String
        var total: Int
    }
    struct Order: NexaModel, Equatable {
        var id: String?
        var lines: [Line]
        var note: String?
        var rates: [String: Double]
        var matrix: [[Int8]]
        var big: UInt64
        var small: Float
        var flag: Bool
        var free: Value
        var raw: Document
        var state: State
        enum State: String, Codable { case open, paid }
        enum CodingKeys: String, CodingKey {
            case id = "_id"
            case lines, note, rates, matrix, big, small, flag, free, raw, state
        }
    }

    static let order = Order(
        id: "o1", lines: [Line(name: "tea", total: 3), Line(name: "日本", total: -1)], note: nil,
        rates: ["a": 1.5], matrix: [[1, 2], []], big: .max, small: 0.5, flag: true,
        free: ["x": [nil, 1, "y"]], raw: ["z": 1, "a": 2], state: .paid)

    @Test func modelsSurviveTheirDocument() throws {
        let document = try Document.encode(Self.order)
        #expect(document["_id"] == "o1")
        #expect(document["note"] == nil)
        #expect(document["big"] == .uint(.max))
        #expect(document["raw"]?.document?.keys == ["z", "a"])
        #expect(try document.decode(Order.self) == Self.order)
    }

    @Test func errorsNameThePathAndBothTypes() throws {
        var document = try Document.encode(Self.order)
        func fault() -> String {
            do throws(NexaError) {
                _ = try document.decode(Order.self)
                return "decoded"
            } catch { return error.code == .decoding ? error.message : "\(error.code)" }
        }
        document["lines"] = [["name": "a", "total": 1], ["name": "b", "total": "three"]]
        #expect(fault() == "lines[1].total: expected Int, found string")
        document["lines"] = [["name": "a"]]
        #expect(fault() == "lines[0].total: the document has no such field")
        document["lines"] = []
        document["matrix"] = [[1, 300]]
        #expect(fault() == "matrix[0][1]: the number does not fit in Int8")
        document["matrix"] = 1
        #expect(fault() == "matrix: expected an array, found integer")
    }

    @Test func numbersAreReadWhereTheyFitExactly() throws {
        struct Numbers: Codable { var a: Int }
        #expect(try (["a": 3.0] as Document).decode(Numbers.self).a == 3)
        #expect(throws: NexaError.self) { try (["a": 3.5] as Document).decode(Numbers.self) }
        #expect(throws: NexaError.self) { try (["a": .uint(.max)] as Document).decode(Numbers.self) }
    }

    class Animal: Codable {
        var name = "Rex"
        init() {}
    }
    final class Dog: Animal {
        var tricks = ["sit"]
        override init() { super.init() }
        required init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Key.self)
            tricks = try container.decode([String].self, forKey: .tricks)
            try super.init(from: container.superDecoder())
        }
        override func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Key.self)
            try super.encode(to: container.superEncoder())
            try container.encode(tricks, forKey: .tricks)
        }
        enum Key: String, CodingKey { case tricks }
    }

    @Test func superclassesAndNestedContainersWork() throws {
        let document = try Document.encode(Dog())
        #expect(document == ["super": ["name": "Rex"], "tricks": ["sit"]])
        #expect(try document.decode(Dog.self).tricks == ["sit"])
    }

    @Test func whatIsNoDocumentIsRefused() {
        #expect(throws: NexaError.self) { try Document.encode([1, 2]) }
        #expect(throws: NexaError.self) { try Document.encode("text") }
    }
}

@Suite struct FilterTests {
    struct User: NexaModel {
        var age: Int
        enum Fields {
            static let age = Field<Int>("age"), name = Field<String>("name"), city = Field<String>("address.city")
        }
    }
    typealias F = User.Fields

    static let rows: [(Filter, Document)] = [
        (F.age == 3, ["age": 3]), (F.age != 3, ["age": ["$ne": 3]]),
        (F.age >= 18 && F.age < 65, ["age": ["$gte": 18, "$lt": 65]]),
        (F.age >= 18 && F.name == "Ada", ["age": ["$gte": 18], "name": "Ada"]),
        (F.age == 1 && F.age == 2, ["$and": [["age": 1], ["age": 2]]]),
        (F.age > 1 && F.age > 2, ["$and": [["age": ["$gt": 1]], ["age": ["$gt": 2]]]]),
        (F.age == 1 || F.age == 2 || F.name == "x", ["$or": [["age": 1], ["age": 2], ["name": "x"]]]),
        (!(F.age == 1), ["$nor": [["age": 1]]]), (F.city.exists, ["address.city": ["$exists": true]]),
        (F.age.isIn([1, 2]), ["age": ["$in": [1, 2]]]), (F.name.matches(regex: "^A"), ["name": ["$regex": "^A"]]),
        (.all, [:]), (["age": ["$gte": 18]], ["age": ["$gte": 18]])
    ]

    @Test(arguments: rows) func buildsMongoDBsLanguage(filter: Filter, document: Document) {
        #expect(filter.document == document)
    }
}
