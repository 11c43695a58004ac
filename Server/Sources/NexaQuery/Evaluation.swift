import NexaValue

/// Runs a program over the bytes of one document.
struct Evaluation: ~Escapable {
    let span: RawSpan
    /// Work left for paths that fork (see `throughArray`).
    private var forks = 100_000
    /// How often a pattern was tried, and when the clock was read first.
    private var patternTrials = 0
    private var patternsBegan: Double?

    @_lifetime(copy span)
    init(_ span: RawSpan) { self.span = span }

    /// Counts a trial of a pattern: the time that one may take for a string is not meant for each of thousands.
    private mutating func spendPattern() throws(QueryError) {
        patternTrials &+= 1
        guard patternTrials & 7 == 0 else { return }
        let now = Pattern.now()
        guard let began = patternsBegan else { return patternsBegan = now }
        guard now - began <= Pattern.maximumSeconds else {
            throw .limit("the regular expressions take more than \(Pattern.maximumSeconds) s for one document")
        }
    }

    // MARK: Documents

    /// Whether the document at an offset fulfils all conditions.
    @_lifetime(self: copy self)
    mutating func holds(_ program: Conjunction, at offset: Int) throws -> Bool {
        if !program.groups.isEmpty {
            var reader = MessagePackReader(span, at: offset)
            switch try reader.readHead() {
            case .map(let count):
                if try !fieldsHold(program, at: reader.position, count: count) { return false }
            case .array(let count):  // only as an element of an array below `$elemMatch`
                if try !elementsHold(program, &reader, count: count) { return false }
            case let head:
                throw MessagePackError(.unexpectedKind(expected: "document", found: head.kindName), at: offset)
            }
        }
        for node in program.others where try !holds(node, at: offset) { return false }
        return true
    }

    @_lifetime(self: copy self)
    private mutating func holds(_ node: Node, at offset: Int) throws -> Bool {
        switch node {
        case .all(let program): return try holds(program, at: offset)
        case .any(let programs):
            for program in programs where try holds(program, at: offset) { return true }
            return false
        case .none(let programs):
            for program in programs where try holds(program, at: offset) { return false }
            return true
        case .expression(let expression, let now):
            // Only where the document is the whole one: the compiler refuses it elsewhere.
            var context = ExpressionContext(now: now)
            return try expression.isTrue(encoded: span, &context)
        }
    }

    /// One walk over the fields of a map; ends as soon as every group was met or one fails.
    @_lifetime(self: copy self)
    private mutating func fieldsHold(_ program: Conjunction, at first: Int, count: Int) throws -> Bool {
        var met: UInt64 = 0
        var missing = program.probes.count
        var position = first
        var length = 0
        for _ in 0..<count {
            position = try span.endOfKey(at: position, length: &length)
            let index = group(program, nameAt: position &- length, length: length)
            if index >= 0, met & (1 &<< UInt64(index)) == 0 {
                met |= 1 &<< UInt64(index)
                if let isContained = try program.probes[index].numbers?.contains(span, at: position) {
                    if !isContained { return false }
                } else {
                    for test in program.groups[index].tests where try !holds(test, at: position) { return false }
                }
                missing &-= 1
                if missing == 0 { return true }
            }
            position = try span.endOfValue(at: position)
        }
        for index in program.groups.indices where met & (1 &<< UInt64(index)) == 0 {
            for test in program.groups[index].tests where test.matchesMissing == test.isNegated { return false }
        }
        return true
    }

    /// The position of the group for a name, or -1.
    @inline(__always)
    private func group(_ program: Conjunction, nameAt start: Int, length: Int) -> Int {
        let prefix = span.prefixWord(at: start, count: length)
        let probes = program.probes
        for index in probes.indices where probes[index].length == length && probes[index].prefix == prefix {
            if length <= 8 || program.groups[index].name.equals(span, at: start, count: length, prefix: prefix) {
                return index
            }
        }
        return -1
    }

    /// The same for an array that stands for a document, with its indices as names.
    @_lifetime(self: copy self)
    private mutating func elementsHold(
        _ program: Conjunction, _ reader: inout MessagePackReader, count: Int
    ) throws -> Bool {
        let first = reader.position
        for group in program.groups {
            let index = group.name.arrayIndex
            guard index >= 0, index < count else {
                for test in group.tests where test.matchesMissing == test.isNegated { return false }
                continue
            }
            reader.position = first
            for _ in 0..<index { try reader.skip() }
            for test in group.tests where try !holds(test, at: reader.position) { return false }
        }
        return true
    }

    // MARK: Paths

    @_lifetime(self: copy self)
    @inline(__always) private mutating func holds(_ test: FieldTest, at offset: Int) throws -> Bool {
        let found = test.rest.isEmpty ? try leaf(test, at: offset) : try reach(test, 0, at: offset)
        return found != test.isNegated
    }

    /// Whether a value that `test.rest[part...]` leads to from here fulfils the predicate.
    @_lifetime(self: copy self)
    mutating func reach(_ test: FieldTest, _ part: Int, at offset: Int) throws -> Bool {
        if part == test.rest.count { return try leaf(test, at: offset) }
        var reader = MessagePackReader(span, at: offset)
        switch try reader.readHead() {
        case .map(let count):
            guard let value = try span.value(of: test.rest[part], at: reader.position, count: count) else {
                return test.matchesMissing
            }
            return try reach(test, part + 1, at: value)
        case .array(let count): return try throughArray(test, part, &reader, count: count)
        default: return test.matchesMissing
        }
    }

    /// Goes on through the elements of an array, as MongoDB does: into every document, and by number
    /// into the element of that index. What a number names is taken as it is, without trying its elements.
    @_lifetime(self: copy self)
    private mutating func throughArray(
        _ test: FieldTest, _ part: Int, _ reader: inout MessagePackReader, count: Int
    ) throws -> Bool {
        let wanted = test.rest[part].arrayIndex
        for index in 0..<count {
            let element = reader.position
            var inner = MessagePackReader(span, at: element)
            let head = try inner.readHead()
            if case .map = head {
                if try reach(test, part, at: element) { return true }
            }
            if index == wanted {
                if part + 1 == test.rest.count {
                    if try fulfils(test.predicate, at: element) { return true }
                } else if case .map = head {
                    // The same document under two readings of the path: these forks could multiply.
                    forks -= 1
                    guard forks > 0 else { throw QueryError.limit("a path of numbers forks too often in one document") }
                    if try reach(test, part + 1, at: element) { return true }
                } else if case .array(let count) = head {
                    if try throughArray(test, part + 1, &inner, count: count) { return true }
                }
            }
            try reader.skip()
        }
        return false
    }

    /// The value at the end of a path: the elements of an array, then the value itself.
    @_lifetime(self: copy self)
    @inline(__always) private mutating func leaf(_ test: FieldTest, at offset: Int) throws -> Bool {
        var reader = MessagePackReader(span, at: offset)
        let head = try reader.readHead()
        if case .array(let count) = head, test.seesElements {
            for _ in 0..<count {
                if try fulfils(test.predicate, at: reader.position) { return true }
                try reader.skip()
            }
        }
        return try fulfils(test.predicate, head, at: offset, body: reader.position)
    }

    // MARK: Values

    @_lifetime(self: copy self)
    mutating func fulfils(_ predicate: Predicate, at offset: Int) throws -> Bool {
        var reader = MessagePackReader(span, at: offset)
        let head = try reader.readHead()
        return try fulfils(predicate, head, at: offset, body: reader.position)
    }

    /// Whether one value fulfils a predicate; its head was read and ends at `body`.
    @_lifetime(self: copy self)
    private mutating func fulfils(
        _ predicate: Predicate, _ head: MessagePackReader.Head, at offset: Int, body: Int
    ) throws -> Bool {
        switch predicate {
        case .equal(let operand): return try operand.equals(head, span, at: offset, body: body)
        case .less(let operand, let orEqual):
            guard let order = try operand.order(head, span, at: offset, body: body) else { return false }
            return order == 0 ? orEqual : order < 0 && !operand.isNaN && head.number?.isNaN != true
        case .greater(let operand, let orEqual):
            guard let order = try operand.order(head, span, at: offset, body: body) else { return false }
            return order == 0 ? orEqual : order > 0 && !operand.isNaN && head.number?.isNaN != true
        case .oneOf(let operands): return try operands.contains(span, at: offset)
        case .exists: return true
        case .pattern(let pattern):
            guard case .string(let count) = head else { return false }
            try spendPattern()
            return try pattern.matches(span.extracting(body..<body &+ count))
        case .kind(let kinds): return kinds.contains(KindSet(head))
        case .remainder(let divisor, let wanted): return head.number?.remainder(by: divisor) == wanted
        case .size(let size):
            guard case .array(let count) = head else { return false }
            return count == size
        case .elementDocument(let program):
            return try anyElement(head, body: body) { (evaluation, head, element, _) in
                switch head {
                case .map, .array: try evaluation.holds(program, at: element)
                default: false
                }
            }
        case .elementValue(let tests):
            return try anyElement(head, body: body) { (evaluation, head, element, body) in
                try evaluation.allHold(tests, head, at: element, body: body)
            }
        case .never: return false
        }
    }

    @_lifetime(self: copy self)
    private mutating func anyElement(
        _ head: MessagePackReader.Head, body: Int,
        _ holds: (inout Evaluation, MessagePackReader.Head, _ element: Int, _ body: Int) throws -> Bool
    ) throws -> Bool {
        guard case .array(let count) = head else { return false }
        var reader = MessagePackReader(span, at: body)
        for _ in 0..<count {
            var element = MessagePackReader(span, at: reader.position)
            let head = try element.readHead()
            if try holds(&self, head, reader.position, element.position) { return true }
            try reader.skip()
        }
        return false
    }

    /// Whether one value fulfils all conditions of an `$elemMatch` with operators.
    @_lifetime(self: copy self)
    mutating func allHold(_ tests: [ElementTest], at offset: Int) throws -> Bool {
        var reader = MessagePackReader(span, at: offset)
        let head = try reader.readHead()
        return try allHold(tests, head, at: offset, body: reader.position)
    }

    @_lifetime(self: copy self)
    private mutating func allHold(
        _ tests: [ElementTest], _ head: MessagePackReader.Head, at offset: Int, body: Int
    ) throws -> Bool {
        for test in tests {
            switch test {
            case .fulfils(let predicate, let isNegated):
                if try fulfils(predicate, head, at: offset, body: body) == isNegated { return false }
            case .notAll(let tests):
                if try allHold(tests, head, at: offset, body: body) { return false }
            }
        }
        return true
    }
}

extension Number {
    /// The remainder of the whole part, with the sign of the number; `nil` for what is not in the range of `Int64`.
    func remainder(by divisor: Int64) -> Int64? {
        switch self {
        case .int(let value): return divisor == -1 ? 0 : value % divisor
        case .uint(let value):
            // Above every divisor but those of the same size; the remainder is below the divisor and fits.
            return Int64(value % divisor.magnitude)
        case .double(let value):
            guard value.isFinite, let whole = Int64(exactly: value.rounded(.towardZero)) else { return nil }
            return divisor == -1 ? 0 : whole % divisor
        }
    }
}
