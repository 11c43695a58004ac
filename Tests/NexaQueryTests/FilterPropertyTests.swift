import NexaQuery
import NexaValue
import Testing

@Suite struct FilterPropertyTests {
    /// The compiled program on encoded bytes answers as the plain evaluator on decoded values.
    @Test(arguments: [1, 2, UInt64.random(in: 0 ... .max)])
    func programsAnswerAsTheReference(seed: UInt64) throws {
        var random = RandomValues(seed: seed)
        var matched = 0
        for _ in 0..<2000 {
            let filter = random.filter()
            let program = try QueryFilter(compiling: filter)
            for _ in 0..<10 {
                let document = random.document()
                let expected = ReferenceFilter.matches(filter, .document(document))
                let answer = try program.matches(document)
                if answer { matched += 1 }
                if answer != expected {
                    Issue.record("\(json(filter)) on \(json(document)): \(answer), expected \(expected), seed \(seed)")
                }
            }
        }
        #expect(matched > 2000 && matched < 18_000, "the random filters must neither match all nor nothing")
    }

    /// Whatever a filter matches fulfils its `_id` constraint.
    @Test(arguments: [3, UInt64.random(in: 0 ... .max)])
    func theIDConstraintIsNecessary(seed: UInt64) throws {
        var random = RandomValues(seed: seed)
        var constrained = 0
        for _ in 0..<3000 {
            var filter = random.filter()
            if let condition = filter.first(where: { !$0.key.hasPrefix("$") })?.value { filter["_id"] = condition }
            if random.chance(50) { filter = ["$or": [.document(filter), ["_id": random.scalar()]]] }
            let program = try QueryFilter(compiling: filter)
            if program.idConstraint != .any { constrained += 1 }
            for id in RandomValues.scalars {
                var document = random.document()
                document["_id"] = .some(id)
                guard try program.matches(document), !program.idConstraint.admits(id) else { continue }
                Issue.record("\(json(filter)) matches \(id) against \(program.idConstraint), seed \(seed)")
            }
        }
        #expect(constrained > 300)
    }

    /// Damaged bytes give an answer or an error, never a crash.
    @Test(arguments: [4, UInt64.random(in: 0 ... .max)])
    func damagedDocumentsAreSurvived(seed: UInt64) throws {
        var random = RandomValues(seed: seed)
        for _ in 0..<3000 {
            let filter = try QueryFilter(compiling: random.filter())
            let order = try SortOrder(compiling: ["a.b": 1, "b": -1])
            let projection = try Projection(compiling: random.chance(50) ? ["a.b": 1, "c": 1] : ["a.b": 0])
            var bytes = MessagePack.encode(random.document())
            for _ in 0..<Int.random(in: 1...3, using: &random.random) where !bytes.isEmpty {
                let place = Int.random(in: 0..<bytes.count, using: &random.random)
                if random.chance(30) {
                    bytes.removeSubrange(place...)
                } else {
                    bytes[place] = UInt8.random(in: 0...255, using: &random.random)
                }
            }
            _ = try? filter.matches(bytes.span.bytes)
            _ = try? order.key(of: bytes.span.bytes)
            var writer = MessagePackWriter()
            try? projection.apply(bytes.span.bytes, to: &writer)
        }
    }
}

extension IDConstraint {
    /// Whether an id fulfils the constraint, as an engine would check it.
    func admits(_ id: Value) -> Bool {
        switch self {
        case .any: return true
        case .oneOf(let values): return values.contains { ValueOrder.compare($0, id) == 0 }
        case .range(let lower, let upper):
            if let lower {
                let order = ValueOrder.compare(id, lower.value)
                if order < 0 || order == 0 && !lower.isInclusive { return false }
            }
            if let upper {
                let order = ValueOrder.compare(id, upper.value)
                if order > 0 || order == 0 && !upper.isInclusive { return false }
            }
            return true
        }
    }
}
