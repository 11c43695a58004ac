import NexaValue

/// Finds out which element of an array made a document match: what the positional `$` of an update stands for.
///
/// It is the index in the outermost array that a condition went through by itself, not by a number in its path.
/// Of several conditions the last one counts, of `$or` the first part that holds; negated ones and `$nor` say nothing.
extension QueryFilter {
    /// The index for a document that the filter matches; `nil` when no condition went through an array.
    ///
    /// - Throws: as `matches`.
    public func matchedIndex(in document: RawSpan) throws(QueryError) -> Int? {
        try Self.translating {
            var search = MatchedIndexSearch(document)
            return try search.index(program, at: 0)
        }
    }
}

private struct MatchedIndexSearch: ~Escapable {
    private let span: RawSpan
    private var evaluation: Evaluation

    @_lifetime(copy span)
    init(_ span: RawSpan) {
        self.span = span
        evaluation = Evaluation(span)
    }

    @_lifetime(self: copy self)
    mutating func index(_ program: Conjunction, at offset: Int) throws -> Int? {
        var found: Int?
        for group in program.groups {
            var reader = MessagePackReader(span, at: offset)
            guard case .map(let count) = try reader.readHead() else { return nil }
            guard let value = try span.value(of: group.name, at: reader.position, count: count) else { continue }
            for test in group.tests where !test.isNegated {
                if let index = try index(test, 0, at: value) { found = index }
            }
        }
        for node in program.others {
            if let index = try index(node, at: offset) { found = index }
        }
        return found
    }

    @_lifetime(self: copy self)
    private mutating func index(_ node: Node, at offset: Int) throws -> Int? {
        switch node {
        case .all(let program): return try index(program, at: offset)
        case .any(let programs):
            for program in programs where try evaluation.holds(program, at: offset) {
                return try index(program, at: offset)
            }
            return nil
        default: return nil
        }
    }

    /// Follows the rest of a path to the first array, and finds the first element behind which the condition holds.
    @_lifetime(self: copy self)
    private mutating func index(_ test: FieldTest, _ part: Int, at offset: Int) throws -> Int? {
        var reader = MessagePackReader(span, at: offset)
        let head = try reader.readHead()
        guard part < test.rest.count else {
            guard case .array(let count) = head else { return nil }
            return try element(&reader, count) { (evaluation, element, _) in
                switch test.predicate {
                case .elementDocument(let program):
                    var inner = MessagePackReader(evaluation.span, at: element)
                    switch try inner.readHead() {
                    case .map, .array: return try evaluation.holds(program, at: element)
                    default: return false
                    }
                case .elementValue(let tests): return try evaluation.allHold(tests, at: element)
                default: return test.seesElements ? try evaluation.fulfils(test.predicate, at: element) : false
                }
            }
        }
        switch head {
        case .map(let count):
            guard let value = try span.value(of: test.rest[part], at: reader.position, count: count) else { return nil }
            return try index(test, part + 1, at: value)
        case .array(let count):
            let wanted = test.rest[part].arrayIndex
            if wanted >= 0, wanted < count {
                var inner = MessagePackReader(span, at: reader.position)
                for _ in 0..<wanted { try inner.skip() }
                // The array was entered by its number; only one further in can be meant.
                if try evaluation.reach(test, part + 1, at: inner.position) {
                    return try index(test, part + 1, at: inner.position)
                }
            }
            return try element(&reader, count) { (evaluation, element, isMap) in
                isMap ? try evaluation.reach(test, part, at: element) : false
            }
        default: return nil
        }
    }

    @_lifetime(self: copy self)
    private mutating func element(
        _ reader: inout MessagePackReader, _ count: Int,
        _ holds: (inout Evaluation, _ element: Int, _ isMap: Bool) throws -> Bool
    ) throws -> Int? {
        for index in 0..<count {
            var inner = MessagePackReader(span, at: reader.position)
            var isMap = false
            if case .map = try inner.readHead() { isMap = true }
            if try holds(&evaluation, reader.position, isMap) { return index }
            try reader.skip()
        }
        return nil
    }
}
