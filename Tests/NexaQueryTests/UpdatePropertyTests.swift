import NexaQuery
import NexaValue
import TestKit
import Testing

@Suite struct UpdatePropertyTests {
    private static func update(_ values: inout RandomValues) -> Document {
        var update = Document()
        for _ in 0..<Int.random(in: 1...3, using: &values.random) {
            let name = values.pick([
                "$set", "$unset", "$inc", "$mul", "$min", "$max", "$rename", "$push", "$addToSet", "$pull", "$pop"
            ])
            var path = values.path()
            if values.chance(15) { path += ".$[]" }
            if values.chance(10) { path += "." + values.name() }
            let operand: Value =
                switch name {
                case "$inc", "$mul": values.pick([1, -3, 2.5, .int(.max), 0])
                case "$rename": .string(values.path())
                case "$pop": values.chance(50) ? 1 : -1
                case "$pull", "$push", "$addToSet": values.scalar()
                default: values.value(2)
                }
            var fields = update[name]?.document ?? [:]
            fields[path] = .some(operand)
            update[name] = .some(.document(fields))
        }
        return update
    }

    /// Unsigned integers are left to tables: the reference has no arithmetic for them.
    private static func isPlain(_ value: Value) -> Bool {
        switch value {
        case .uint: false
        case .array(let values): values.allSatisfy(isPlain)
        case .document(let document): document.allSatisfy { isPlain($0.value) }
        default: true
        }
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64]) func updatesDoWhatTheyShould(seed: UInt64) throws {
        var values = RandomValues(seed: seed)
        var (done, refused, unchanged) = (0, 0, 0)
        for round in 0..<4000 {
            let document = values.document()
            let update = Self.update(&values)
            guard Self.isPlain(.document(document)), Self.isPlain(.document(update)) else { continue }
            let expected = Result { try ReferenceUpdate.apply(update, to: document) }
            let found = Result { try updated(document, update) }
            switch (expected, found) {
            case (.failure, .failure): refused += 1
            case (.success(let expected), .success(let found)):
                if found == nil { unchanged += 1 } else { done += 1 }
                // Encoded, because NaN is not equal to itself, and different zeros are.
                guard MessagePack.encode(expected) == MessagePack.encode(found ?? document) else {
                    Issue.record(
                        "seed \(seed), round \(round): \(update) of \(document) is \(String(describing: found)), not \(expected)"
                    )
                    return
                }
                // A change that is told is one.
                if let found {
                    #expect(MessagePack.encode(found) != MessagePack.encode(document), "\(update) \(document)")
                }
            default:
                Issue.record("seed \(seed), round \(round): \(update) of \(document): \(found), not \(expected)")
                return
            }
        }
        #expect(done > 500 && refused > 300 && unchanged > 300)
    }

    /// The document that a filter makes is one that the filter finds.
    @Test func whatAnUpsertInsertsIsFound() throws {
        var values = RandomValues(seed: 7)
        var found = 0
        for _ in 0..<3000 {
            var filter = Document()
            for _ in 0..<2 {
                let operand = values.value(2)
                if case .document(let inner) = operand, inner.isEmpty { continue }
                filter[values.path()] = values.chance(50) ? operand : ["$eq": operand]
            }
            guard let seed = try? UpsertSeed.document(for: filter) else { continue }
            // A number in a path makes a field of that name, which every filter finds.
            #expect(try QueryFilter(compiling: filter).matches(seed), "\(filter) \(seed)")
            found += 1
        }
        #expect(found > 1000)
    }

    /// Whatever is sent as an update: an error or a result, and no crash.
    @Test func anythingMayBeSent() throws {
        var values = RandomValues(seed: 11)
        let names = [
            "$set", "$unset", "$inc", "$push", "$pull", "$pullAll", "$addToSet", "$pop", "$bit", "$rename",
            "$currentDate",
            "$setOnInsert", "$each", "$foo", "a", "", "$"
        ]
        let paths = ["a", "a.b", "a.$", "a.$[]", "a.$[x]", "a.0", "$", "", ".", "a.", "_id", "a.$[].b", "0.1.2"]
        var refused = 0
        for _ in 0..<8_000 {
            var update = Document()
            for _ in 0..<2 {
                var operand = values.value()
                if values.chance(40) {
                    operand = [values.pick(["$each", "$slice", "$sort", "$position", "and", "or", "$gt"]): operand]
                }
                update[values.pick(names)] = values.chance(90) ? [values.pick(paths): operand] : operand
            }
            do {
                let program = try UpdateProgram(
                    compiling: update, arrayFilters: values.chance(30) ? [["x": values.value()]] : [])
                let bytes = MessagePack.encode(values.document())
                _ = try program.changes(
                    to: bytes.span.bytes, matchedIndex: values.chance(50) ? 1 : nil, now: Timestamp(seconds: 0))
            } catch {
                refused += 1
            }
        }
        #expect(refused > 2000 && refused < 8_000)
    }
}
