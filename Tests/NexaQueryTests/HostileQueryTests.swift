import NexaQuery
import NexaValue
import Testing

@Suite struct HostileQueryTests {
    private func error(_ filter: Document) -> QueryError? { QueryError.of { _ = try QueryFilter(compiling: filter) } }

    @Test func deepFiltersAreRefused() {
        func nested(_ depth: Int, _ wrap: (Value) -> Value) -> Document? {
            var filter: Value = ["a": 1]
            for _ in 0..<depth { filter = wrap(filter) }
            return filter.document
        }
        for wrap: (Value) -> Value in [{ ["$and": [$0]] }, { ["$nor": [$0]] }, { ["a": ["$elemMatch": $0]] }] {
            #expect(nested(40, wrap).flatMap(error) == nil)
            #expect(nested(300, wrap).flatMap(error)?.code == .limitExceeded)
        }
        var negation: Value = ["$gt": 1]
        for _ in 0..<300 { negation = ["$not": negation] }
        #expect(error(["a": negation])?.code == .limitExceeded)
        var literal: Value = []
        for _ in 0..<300 { literal = [literal] }
        #expect(error(["a": literal])?.code == .limitExceeded)
        #expect(error(["a": ["$in": [literal]]])?.code == .limitExceeded)
    }

    @Test func largeFiltersAreRefused() {
        let conditions = Value.array((0..<10_001).map { _ in ["a": 1] })
        #expect(error(["$and": conditions])?.message == "the filter has more than 10000 conditions")
        let values = Value.array((0...100_000).map { .int($0) })
        #expect(error(["a": ["$in": values]])?.message == "the filter lists more than 100000 values")
        let patterns = Value.array((0...100).map { _ in ["a": ["$regex": "x"]] })
        #expect(error(["$or": patterns])?.message == "the filter has more than 100 regular expressions")
        let path = (0...100).map { _ in "a" }.joined(separator: ".")
        #expect(error([path: 1])?.code == .limitExceeded)
    }

    @Test func aHundredThousandListedValuesAreLookedUp() throws {
        let filter = try QueryFilter(compiling: ["a": ["$in": .array((0..<100_000).map { .string("key\($0 * 2)") })]])
        let answers = try (0..<1000).map { try filter.matches(["a": .string("key\($0)")]) }
        #expect(answers == (0..<1000).map { $0 % 2 == 0 })
    }

    /// Patterns whose backtracking explodes end with an error that names the limit.
    @Test(arguments: ["(a+)+$", "(a|aa)+$", "(a*)*[bc]", "^(([a-z])+.)+[A-Z]([a-z])+$", "(.*)*[xy]\\1"])
    func catastrophicPatternsHitALimit(pattern: String) throws {
        let filter = try QueryFilter(compiling: ["a": ["$regex": .string(pattern)]])
        let text = String(repeating: "a", count: 40) + "!"
        let error = QueryError.of { _ = try filter.matches(["a": .string(text)]) }
        #expect(error?.code == .limitExceeded)
        #expect(error?.message.hasPrefix("$regex takes more than ") == true)
        #expect(try filter.matches(["a": 5]) == false, "the filter still works")
    }

    @Test func slowPatternsOnLongTextsHitAClock() throws {
        // Every starting point looks at all that follows: quadratic, without much backtracking at any of them.
        let filter = try QueryFilter(compiling: ["a": ["$regex": "[a-z]+[0-9a-z]*;"]])
        let error = QueryError.of { _ = try filter.matches(["a": .string(String(repeating: "a", count: 4_000_000))]) }
        #expect(error?.code == .limitExceeded)
    }

    @Test func longTextsAreSearchedToTheirEnd() throws {
        for length in [4095, 4096, 4097, 8191, 8192, 100_000, 1_000_003] {
            let text = String(repeating: "é", count: length) + "needle"
            for (pattern, found) in [
                ("needle$", true), ("needle.", false), ("^é+needle", true), ("^needle", false), ("(?<=é)n", true)
            ] {
                let filter = try QueryFilter(compiling: ["a": ["$regex": .string(pattern)]])
                #expect(try filter.matches(["a": .string(text)]) == found, "\(pattern) in \(length) letters")
            }
        }
    }

    @Test func invalidUTF8IsNotGivenToThePattern() throws {
        let filter = try QueryFilter(compiling: ["a": ["$regex": "x"]])
        let error = QueryError.of { _ = try filter.matches([0x81, 0xA1, 0x61, 0xA2, 0xC3, 0x28].span.bytes) }
        #expect(error?.code == .corruptDocument)
    }

    @Test func hugePatternsAreRefused() {
        #expect(error(["a": ["$regex": .string(String(repeating: "a", count: 40_000))]])?.code == .limitExceeded)
        #expect(
            error(["a": ["$regex": .string(String(repeating: "(", count: 5000) + String(repeating: ")", count: 5000))]]
            )?.code == .invalidPattern)
        #expect(error(["a": ["$regex": "((((a{1000}){1000}){1000}){1000}"]])?.code == .invalidPattern)
        #expect(error(["a": ["$regex": "a\\Cb"]])?.code == .invalidPattern)
    }

    /// Names that are numbers can be read as fields and as indices; the readings must not multiply.
    @Test func forkingPathsEnd() throws {
        var value: Value = 1
        for _ in 0..<49 { value = [["0": value]] }
        let path = (0..<60).map { _ in "0" }.joined(separator: ".")
        let document: Document = ["0": value]
        let filter = try QueryFilter(compiling: [path: 5])
        let error = QueryError.of { _ = try filter.matches(document) }
        #expect(error == nil || error?.code == .limitExceeded)
        _ = try SortOrder(compiling: .document([path: 1])).key(of: MessagePack.encode(document).span.bytes)
    }

    @Test func manyThreadsShareAFilter() async throws {
        let filter = try QueryFilter(compiling: ["a": ["$regex": "^x[0-9]+$"], "b": ["$in": [1, 2]]])
        try await withThrowingTaskGroup(of: Int.self) { group in
            for worker in 0..<16 {
                group.addTask {
                    var count = 0
                    for round in 0..<500
                    where try filter.matches(["a": .string("x\(round)"), "b": .int(Int64(worker % 3))]) { count += 1 }
                    return count
                }
            }
            let total = try await group.reduce(0, +)
            #expect(total == 500 * (0..<16).count { $0 % 3 != 0 })
        }
    }
}
