import NexaValue
import Testing

@testable import NexaShell

/// What `describe` tells of fields.
@Suite struct FieldSampleTests {
    @Test func fieldsAreCountedOncePerDocument() throws {
        var sample = FieldSample()
        sample.add(["_id": "a", "cast": [["name": "A"], ["name": "B"], ["age": 3]], "t": .null])
        sample.add(["_id": "b", "cast": [], "t": "text"])
        #expect(sample.documents == 2)
        #expect(sample.fields.map(\.path) == ["_id", "cast", "cast.name", "cast.age", "t"])
        let cast = try #require(sample.fields.first { $0.path == "cast.name" })
        #expect(cast.present == 1)
        #expect(cast.types == ["string": 1])
        let text = try #require(sample.fields.last)
        #expect(text.example == "text")
        #expect(text.typeText == "null 50 %, string 50 %")
        #expect(sample.fields[1].typeText == "array 50 %, array of document 50 %")
    }

    @Test func listsOfNumbersOfOneLengthAreVectors() {
        func type(_ values: [Value]) -> String {
            var sample = FieldSample()
            for value in values { sample.add(["v": value]) }
            return sample.fields[0].typeText
        }
        let eight: Value = [1, 2, 3, 4, 5, 6, 7, 8]
        let mixed: Value = [1.5, 2, 3, 4, 5, 6, 7, 8]
        #expect(type([eight, mixed]) == "vector of 8")
        #expect(type([.vector([1, 2, 3])]) == "vector of 3")
        #expect(type([eight, [1, 2]]) == "array of integer")
        #expect(type([[1, 2], eight]) == "array of integer")
        #expect(type([eight, "text"]) == "array of integer 50 %, string 50 %")
        #expect(type([["a", 1]]) == "array")
    }

    @Test func memoryIsBounded() {
        var sample = FieldSample()
        for index in 0..<2 * FieldSample.maximumFields { sample.add(["f\(index)": 1]) }
        #expect(sample.fields.count == FieldSample.maximumFields)
        #expect(sample.isCut)
        var deep: Document = ["x": 1]
        for _ in 0..<50 { deep = ["x": .document(deep)] }
        var other = FieldSample()
        other.add(deep)
        #expect(other.fields.count == FieldSample.maximumDepth)
    }

    @Test func examplesAreCut() {
        var sample = FieldSample()
        sample.add(["long": .string(String(repeating: "é", count: 100)), "v": .array(Array(repeating: 1, count: 768))])
        #expect(sample.fields[0].exampleText(10).count == 10)
        #expect(sample.fields[1].exampleText(40) == "[1,1, … 768]")
    }
}

/// Numbers as people read them.
@Suite struct AmountTests {
    @Test func numbersAndTimes() {
        #expect(
            [0, 12, 999, 1000, 1_234_567, -1234].map(Amount.grouped) == [
                "0", "12", "999", "1,000", "1,234,567", "-1,234"
            ])
        #expect(Amount.duration(.microseconds(412)) == "0.41 ms")
        let uptimes: [(Int, String)] = [
            (0, "0 seconds"), (1, "1 second"), (59, "59 seconds"), (60, "1 minute"), (3599, "59 minutes 59 seconds"),
            (3601, "1 hour"), (7260, "2 hours 1 minute"), (86_400 + 30, "1 day"),
            (3 * 86_400 + 4 * 3600, "3 days 4 hours")
        ]
        for (seconds, words) in uptimes { #expect(Amount.words(.seconds(seconds)) == words) }
        #expect(Amount.duration(.milliseconds(1234)) == "1.2 s")
        #expect(Amount.share(1, of: 1000) == "1 %")
        #expect(Amount.share(999, of: 1000) == "99 %")
        #expect(Amount.share(0, of: 1000) == "0 %")
        #expect(Amount.share(5, of: 5) == "100 %")
        #expect(Moment.text(0) == "1970-01-01T00:00:00Z")
        #expect(Moment.text(.nan) == "nan")
        #expect(IndexProgress.line(41, of: 100, seconds: 2) == "[====>     ] 41%  41 of 100 docs  ETA 3 s")
        #expect(IndexProgress.line(0, of: 0, seconds: 0) == "[>         ] 0%  0 of 0 docs")
    }

    @Test func columnsStandBelowEachOther() {
        #expect(Columns.aligned([["a", "1"], ["bb", ""], ["ccc", "2"]]) == ["  a    1", "  bb", "  ccc  2"])
    }
}

/// The help of every command.
@Suite struct CommandTableTests {
    @Test func everyCommandIsDescribedAndNamedOnce() {
        var names: Set<String> = []
        for command in CommandTable.all {
            for name in command.names { #expect(names.insert(name).inserted, "\(name)") }
            #expect(!command.summary.isEmpty && !command.summary.hasSuffix("."), "\(command.name)")
            #expect(command.usage.hasPrefix(command.name), "\(command.name)")
            for line in command.details { #expect(line.count <= 120, "\(command.name)") }
            #expect(Set(command.flags.map(\.name)).count == command.flags.count, "\(command.name)")
        }
    }

    @Test func whatChangesDataSaysSo() {
        let writing = [
            "create", "insert_many", "update", "update_many", "replace", "find_and_modify", "delete", "delete_many",
            "bulk_write", "create_collection", "drop_collection", "create_db", "drop_db", "create_index", "drop_index",
            "create_user", "update_user", "drop_user", "passwd", "create_api_key", "revoke_api_key", "import",
            "import_mongo", "compact"
        ]
        for name in writing { #expect(CommandTable.find(name)?.isWrite == true, "\(name)") }
        let reading = [
            "query", "count", "distinct", "aggregate", "explain", "describe", "stats", "indexes", "users", "status"
        ]
        for name in reading { #expect(CommandTable.find(name)?.isWrite == false, "\(name)") }
    }
}
