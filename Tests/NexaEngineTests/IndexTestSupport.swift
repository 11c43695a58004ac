import NexaEngine
import NexaQuery
import NexaValue
import TestKit
import Testing

extension Engine {
    /// Creates an index and waits until it is built, or has failed.
    @discardableResult
    func makeIndex(_ definition: IndexDefinition, collection: String = "c") async throws -> IndexStatus {
        _ = try await withCheckedThrowingContinuation { continuation in
            createIndex(database: "default", collection: collection, definition: definition) {
                continuation.resume(with: $0)
            }
        }
        return try await waitForIndex(definition.name, collection: collection)
    }

    func waitForIndex(_ name: String, collection: String = "c") async throws -> IndexStatus {
        while true {
            let status = indexes(database: "default", collection: collection).first { $0.definition.name == name }
            guard let status else { throw EngineError(.notFound, "no index \(name)") }
            if status.state != .building { return status }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    func dropIndex(_ name: String, collection: String = "c") async throws {
        try await withCheckedThrowingContinuation { continuation in
            dropIndex(database: "default", collection: collection, index: name) { continuation.resume(with: $0) }
        }
    }

    /// The documents of a query, all pages of it.
    func find(
        _ filter: Document = [:], collection: String = "c", _ change: (inout QueryOptions) -> Void = { _ in }
    ) throws -> [Document] {
        var options = QueryOptions()
        change(&options)
        var documents: [Document] = []
        while true {
            let execution = try query(database: "default", collection: collection, filter: filter, options: options)
            while try execution.step(budget: 7) == .more {}
            let bytes = execution.takeDocuments()
            var reader = MessagePackReader(bytes.span.bytes)
            for _ in 0..<execution.documentCount { documents.append(try reader.readDocument()) }
            guard let next = execution.next else { return documents }
            options.after = next
        }
    }

    func count(
        _ filter: Document, collection: String = "c", _ change: (inout QueryOptions) -> Void = { _ in }
    ) throws -> Int {
        var options = QueryOptions()
        options.isCountOnly = true
        change(&options)
        let execution = try query(database: "default", collection: collection, filter: filter, options: options)
        while try execution.step(budget: 1000) == .more {}
        return execution.count
    }
}

/// Documents and filters over few fields and few values, with arrays and documents in between.
struct IndexWorkload {
    var random: SplitMix64

    init(seed: UInt64) { random = SplitMix64(seed: seed) }

    static let paths = ["a", "b", "c", "d.x", "d.y", "e.f.g"]

    mutating func pick<T>(_ choices: [T]) -> T { choices[Int.random(in: 0..<choices.count, using: &random)] }
    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }
    mutating func number(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &random) }

    mutating func scalar() -> Value {
        switch number(12) {
        case 0: return nil
        case 1: return pick([true, false])
        case 2, 3: return .string(pick(["", "ab", "abc", "abd", "b", "zz", String(repeating: "q", count: 1500)]))
        case 4: return .double(Double(number(8)) + 0.5)
        case 5: return .timestamp(Timestamp(seconds: Int64(number(5))))
        case 6: return pick([.double(.nan), .int(.max), .double(-0.0), [:], ["k": 1]])
        default: return .int(Int64(number(8)))
        }
    }

    /// - Parameter arrays: how many of a hundred values are arrays.
    mutating func value(arrays: Int) -> Value {
        guard chance(arrays) else { return scalar() }
        return .array((0..<number(4)).map { _ in chance(10) ? .array([scalar()]) : scalar() })
    }

    mutating func document(id: Int, arrays: Int) -> Document {
        var document: Document = ["_id": .int(Int64(id))]
        for name in ["a", "b", "c"] where chance(85) { document[name] = value(arrays: name == "c" ? 0 : arrays) }
        if chance(80) {
            if chance(arrays) {
                document["d"] = .array((0..<number(4)).map { _ in chance(85) ? .document(inner()) : scalar() })
            } else {
                document["d"] = chance(90) ? .document(inner()) : scalar()
            }
        }
        if chance(70) { document["e"] = ["f": ["g": scalar()]] }
        return document
    }

    private mutating func inner() -> Document {
        var document = Document()
        for name in ["x", "y"] where chance(80) { document[name] = scalar() }
        return document
    }

    mutating func condition() -> Value {
        switch number(11) {
        case 0, 1: return chance(90) ? scalar() : .array([scalar()])
        case 2: return ["$in": .array((0..<number(4)).map { _ in scalar() })]
        case 3: return .document([pick(["$gt", "$gte"]): scalar(), pick(["$lt", "$lte"]): scalar()])
        case 4, 5: return .document([pick(["$gt", "$gte", "$lt", "$lte"]): scalar()])
        case 6: return ["$exists": .bool(chance(50))]
        case 7: return ["$regex": .string(pick(["^ab", "^abc", "b", "^q", "^a.c", "^zz?"]))]
        case 8: return .document([pick(["$ne", "$eq"]): scalar()])
        case 9: return ["$elemMatch": .document(["$gte": scalar(), "$lt": scalar()])]
        default: return ["$not": .document([pick(["$gt", "$lte", "$eq"]): scalar()])]
        }
    }

    mutating func filter(_ depth: Int = 0) -> Document {
        var filter = Document()
        for _ in 0..<(1 + number(2)) { filter[pick(Self.paths)] = condition() }
        if depth == 0, chance(20) {
            filter[pick(["$or", "$or", "$and", "$nor"])] = .array(
                (0..<(1 + number(2))).map { _ in
                    .document(self.filter(1))
                })
            if chance(50) {
                filter = filter.filter { $0.key.hasPrefix("$") }.reduce(into: Document()) { $0[$1.key] = $1.value }
            }
        }
        if chance(10) {
            filter["_id"] = .document([pick(["$gt", "$lt", "$gte"]): .int(Int64(number(300)))])
            if chance(30) { filter["_id"] = ["$gte": .int(Int64(number(300))), "$lt": .int(Int64(number(300)))] }
        }
        if chance(10) { filter["d"] = ["$elemMatch": .document(["x": condition(), "y": condition()])] }
        if chance(25) {
            if chance(60) { filter = [:] }
            filter["$expr"] = expression()
        }
        return filter
    }

    /// Comparisons of whole values with constants, over the order of all kinds.
    private mutating func expression() -> Value {
        guard chance(70) else { return ["$and": [comparison(), comparison()]] }
        return comparison()
    }

    private mutating func comparison() -> Value {
        let path = Value.string("$" + pick(Self.paths))
        let constant: Value = ["$literal": chance(90) ? scalar() : .array((0..<number(3)).map { _ in scalar() })]
        let operands: Value = chance(75) ? [path, constant] : [constant, path]
        return .document([pick(["$eq", "$eq", "$gt", "$gte", "$lt", "$lte", "$ne", "$cmp"]): operands])
    }

    mutating func sort() -> Value {
        var terms: [Value] = []
        var seen = Set<String>()
        for _ in 0..<(1 + number(2)) {
            let path = pick(Self.paths + ["_id"])
            if seen.insert(path).inserted { terms.append([.string(path), .int(chance(50) ? 1 : -1)]) }
        }
        return .array(terms)
    }

    mutating func index() -> IndexDefinition {
        var keys: [IndexDefinition.Key] = []
        for _ in 0..<(1 + number(3)) {
            let path = pick(Self.paths)
            if !keys.contains(where: { $0.path == path }) {
                keys.append(IndexDefinition.Key(path, isDescending: chance(40)))
            }
        }
        var definition = IndexDefinition(keys: keys)
        if chance(15) {
            definition.isSparse = true
        } else if chance(20) {
            definition.partialFilter = pick([
                ["c": ["$gte": 2]], ["c": ["$exists": true]], ["a": nil], ["b": ["$in": [1, 2, 3]]], ["a": "ab"]
            ])
            definition.name += "_partial"
        }
        return definition
    }
}
