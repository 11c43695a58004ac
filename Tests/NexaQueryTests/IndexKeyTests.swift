import NexaQuery
import NexaValue
import TestKit
import Testing

@Suite struct IndexKeyTests {
    /// Whatever a filter matches has a key in the intervals of every one of its constraints.
    @Test(arguments: [1, 2, 10_836_622_609_297_635_426, UInt64.random(in: 0 ... .max)])
    func theConstraintsAreNecessary(seed: UInt64) throws {
        var random = RandomValues(seed: seed)
        var checked = 0
        let documents = (0..<100).map { _ in random.document() }
        for _ in 0..<3000 {
            let filter = random.filter()
            let program = try QueryFilter(compiling: filter)
            let constraints = program.constraints
            let paths = constraints.fields.map(\.path)
            guard paths.contains(where: { !$0.contains("0") && !$0.contains("1") }) else { continue }
            for document in documents {
                guard try program.matches(document) else { continue }
                checked += check(constraints, document, json(filter), seed)
            }
        }
        #expect(checked > 2000)
    }

    private func check(_ constraints: FilterConstraints, _ document: Document, _ filter: String, _ seed: UInt64) -> Int
    {
        var checked = 0
        for field in constraints.fields {
            for isDescending in [false, true] {
                guard
                    let keys = extract(
                        document, [.init(field.path, isDescending: isDescending)], sparse: field.requiresValue)
                else { continue }
                checked += 1
                let isMet = keys.keys.contains { contains(field.intervals, $0, isDescending) }
                if !isMet { Issue.record("\(filter): \(field.path) of \(json(document)), seed \(seed)") }
            }
        }
        for parts in constraints.alternatives {
            let isMet = parts.contains { part in
                part.fields.allSatisfy { field in
                    guard let keys = extract(document, [.init(field.path)]) else { return true }
                    return keys.keys.contains { field.intervals.contains($0) }
                }
            }
            if !isMet { Issue.record("\(filter): no part of $or for \(json(document)), seed \(seed)") }
        }
        return checked
    }

    /// Where constraints say that they are exact, a document fulfils the filter if its keys do.
    @Test(arguments: [3, 4, UInt64.random(in: 0 ... .max)])
    func exactConstraintsAreSufficient(seed: UInt64) throws {
        var random = RandomValues(seed: seed)
        var checked = 0
        let documents = (0..<50).map { _ in random.document() }
        for _ in 0..<3000 {
            let filter = random.filter()
            let program = try QueryFilter(compiling: filter)
            let constraints = program.constraints
            guard constraints.isComplete, !constraints.fields.isEmpty else { continue }
            for document in documents {
                var isMet = true
                var isKnown = true
                for field in constraints.fields {
                    guard field.isExact, let keys = extract(document, [.init(field.path)]),
                        keys.multikey == 0 || (constraints.fields.count == 1 && !field.intervals.containsNull)
                    else {
                        isKnown = false
                        break
                    }
                    isMet = isMet && keys.keys.contains { field.intervals.contains($0) }
                }
                guard isKnown else { continue }
                checked += 1
                if try program.matches(document) != isMet {
                    Issue.record("\(json(filter)) on \(json(document)): the keys say \(isMet), seed \(seed)")
                }
            }
        }
        #expect(checked > 2000)
    }

    /// Keys of documents without arrays are ordered as the sort order of the same fields orders the documents.
    @Test(arguments: [5, UInt64.random(in: 0 ... .max)])
    func keysOfPlainDocumentsSortAsTheirFields(seed: UInt64) throws {
        var random = RandomValues(seed: seed)
        let fields: [IndexKeyPattern.Field] = [.init("a", isDescending: true), .init("b.c"), .init("c")]
        let order = try SortOrder(compiling: ["a": -1, "b.c": 1, "c": 1])
        var last: (key: [UInt8], sort: SortKey)?
        var checked = 0
        for _ in 0..<20_000 {
            let document = random.document()
            guard let keys = extract(document, fields), keys.multikey == 0, let key = keys.keys.first else { continue }
            let sort = try order.key(of: MessagePack.encode(document).span.bytes)
            if let last {
                checked += 1
                let isRight = last.key.lexicographicallyPrecedes(key) == (last.sort < sort)
                if !isRight { Issue.record("\(json(document)), seed \(seed)") }
            }
            last = (key, sort)
        }
        #expect(checked > 1000)
    }

    @Test func elementsOfOneArrayStayTogether() throws {
        let document = try relaxed("{items: [{sku: 'a', n: 1}, {sku: 'b', n: 2}], tag: 'x'}")
        let keys = try #require(extract(document, [.init("items.sku"), .init("tag"), .init("items.n")]))
        #expect(keys.multikey == 0b101)
        #expect(Set(keys.keys) == [key("a") + key("x") + key(1), key("b") + key("x") + key(2)])
    }

    @Test func twoArraysOfOneDocumentAreRefused() throws {
        let document = MessagePack.encode(try relaxed("{a: [1, 2], b: [3]}"))
        let error = QueryError.of {
            _ = try IndexKeyPattern([.init("a"), .init("b")]).keys(of: document.span.bytes)
        }
        #expect(error?.message.contains("parallel arrays") == true)
        // One array in each of two documents is fine.
        #expect(extract(try relaxed("{a: [1, 2], b: 3}"), [.init("a"), .init("b")])?.keys.count == 2)
    }

    @Test func missingFieldsAndEmptyArraysHaveKeys() throws {
        #expect(extract([:], [.init("a")])?.keys == [[0x05]])
        #expect(extract(["a": nil], [.init("a")])?.keys == [[0x05]])
        #expect(extract(["a": []], [.init("a")])?.keys == [[0x03]])
        #expect(extract(["a": []], [.init("a.b")])?.keys == [[0x05]])
        #expect(extract(["a": []], [.init("a.b")])?.multikey == 1)
        #expect(extract([:], [.init("a")], sparse: true)?.keys == [])
        #expect(extract(["a": nil], [.init("a")], sparse: true)?.keys == [[0x05]])
        #expect(extract(["b": 1], [.init("a"), .init("b")], sparse: true)?.keys == [[0x05] + key(1)])
    }

    @Test func longValuesAreCutAndKeepTheirOrder() throws {
        let stem = String(repeating: "x", count: 2000)
        let texts = [
            "w" + stem, stem, stem + "a", stem + "b", "y", String(repeating: "x", count: 1021),
            String(repeating: "x", count: 1020), String(repeating: "x", count: 1022)
        ]
        for isDescending in [false, true] {
            for left in texts {
                for right in texts {
                    let one = try #require(extract(["a": .string(left)], [.init("a", isDescending: isDescending)]))
                    let two = try #require(extract(["a": .string(right)], [.init("a", isDescending: isDescending)]))
                    #expect(one.keys[0].count <= IndexKeyPattern.maximumFieldBytes)
                    #expect(one.cut == (left.utf8.count > 1021 ? 1 : 0))
                    if one.keys[0].lexicographicallyPrecedes(two.keys[0]) {
                        #expect(isDescending ? right < left : left < right)
                    }
                    for (name, holds) in [
                        ("$eq", left == right), ("$gt", left > right), ("$gte", left >= right), ("$lt", left < right),
                        ("$lte", left <= right)
                    ] where holds {
                        let filter = try QueryFilter(compiling: ["a": [name: .string(right)]])
                        #expect(contains(filter.constraints.fields[0].intervals, one.keys[0], isDescending))
                    }
                }
            }
        }
    }

    @Test func definitionsWithoutMeaningAreRefused() {
        let refused: [[IndexKeyPattern.Field]] = [
            [], [.init("")], [.init("a..b")], [.init("$a")], [.init("a.$b")], [.init("a.0")], [.init("a"), .init("a")],
            (0..<33).map { .init("f\($0)") }
        ]
        for fields in refused {
            #expect(QueryError.of { _ = try IndexKeyPattern(fields) } != nil, "\(fields)")
        }
    }

    @Test func tooManyKeysAreRefused() {
        let document = MessagePack.encode(["a": .array((0..<200).map { .int($0) })] as Document)
        #expect(
            QueryError.of { _ = try IndexKeyPattern([.init("a")]).keys(of: document.span.bytes, maximumKeys: 100) }?
                .code
                == .limitExceeded)
    }

    static let prefixes: [(pattern: String, options: String, interval: String)] = [
        ("^abc", "", "[\"abc\", \"abd\")"), ("^abc", "i", "all"), ("^abc", "m", "all"), ("^abc", "x", "all"),
        ("^abc", "s", "[\"abc\", \"abd\")"), ("abc", "", "all"), ("^abc|d", "", "all"), ("^ab*", "", "[\"a\", \"b\")"),
        ("^a\\.b+", "", "[\"a.\", \"a/\")"), ("^ab(c)?", "", "[\"ab\", \"ac\")"), ("^ab\\d", "", "[\"ab\", \"ac\")"),
        ("^", "", "all"), ("^a?", "", "all"), ("^ab[cd]", "", "[\"ab\", \"ac\")"), ("^ab{2}", "", "[\"a\", \"b\")")
    ]

    @Test(arguments: prefixes)
    func anchoredPatternsAreIntervals(pattern: String, options: String, interval: String) throws {
        let filter = try QueryFilter(compiling: ["a": ["$regex": .string(pattern), "$options": .string(options)]])
        let intervals = filter.constraints.fields[0].intervals
        let expected = interval == "all" ? "[least of strings, all strings]" : interval
        #expect(intervals.list.map(\.description) == [expected])
    }

    @Test(arguments: [6, UInt64.random(in: 0 ... .max)])
    func intervalsAreSets(seed: UInt64) throws {
        var random = RandomValues(seed: seed)
        for _ in 0..<3000 {
            let sets = try (0..<2).map { _ in try intervals(&random) }
            let union = sets[0].union(sets[1])
            let both = sets[0].intersection(sets[1])
            for value in RandomValues.scalars {
                let key = key(value)
                let inside = sets.map { $0.contains(key) }
                #expect(union.contains(key) == (inside[0] || inside[1]), "seed \(seed)")
                #expect(both.contains(key) == (inside[0] && inside[1]), "seed \(seed)")
                if sets[0].isSubset(of: sets[1]) { #expect(!inside[0] || inside[1], "seed \(seed)") }
            }
            #expect(both.isSubset(of: sets[0]) && sets[1].isSubset(of: .everything), "seed \(seed)")
        }
    }

    private func intervals(_ random: inout RandomValues) throws -> KeyIntervals {
        var set = KeyIntervals.nothing
        for _ in 0..<3 {
            let condition: Document = [random.pick(["$gt", "$gte", "$lt", "$lte", "$eq"]): random.scalar()]
            let filter = try QueryFilter(compiling: ["a": .document(condition)])
            set = set.union(filter.constraints.fields[0].intervals)
        }
        return set
    }

    private func contains(_ intervals: KeyIntervals, _ key: [UInt8], _ isDescending: Bool) -> Bool {
        intervals.list.map { $0.stored(isDescending: isDescending) }.contains { interval in
            !key.lexicographicallyPrecedes(interval.lower) && key.lexicographicallyPrecedes(interval.upper)
        }
    }

    private func key(_ value: Value) -> [UInt8] {
        var key: [UInt8] = []
        OrderedEncoding.append(value, to: &key)
        return key
    }

    /// `nil` for what cannot be indexed.
    private func extract(
        _ document: Document, _ fields: [IndexKeyPattern.Field], sparse: Bool = false
    ) -> IndexKeyPattern.Keys? {
        let bytes = MessagePack.encode(document)
        return try? IndexKeyPattern(fields).keys(of: bytes.span.bytes, isSparse: sparse)
    }
}
