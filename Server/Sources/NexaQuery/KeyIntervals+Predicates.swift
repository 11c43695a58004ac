import NexaValue

extension KeyIntervals {
    /// The keys of which a document that fulfils a predicate has at least one.
    struct Implied {
        var intervals: KeyIntervals
        /// True when a value fulfils the predicate exactly if its key is in the intervals, null standing for a missing
        /// field, too. (Not said of arrays as a whole, which have no keys.)
        var isExact: Bool

        static let unknown = Implied(intervals: .everything, isExact: false)
    }

    /// What a predicate, not negated, implies.
    static func implied(by predicate: Predicate) -> Implied {
        switch predicate {
        case .equal(let operand): return equal(operand)
        case .oneOf(let operands):
            var points: [KeyInterval] = []
            var isExact = true
            for operand in operands.operands {
                let one = equal(operand)
                points += one.intervals.list
                isExact = isExact && one.isExact
            }
            return Implied(intervals: KeyIntervals(union: points), isExact: isExact)
        case .less(let operand, let orEqual): return range(operand, isUpper: true, orEqual: orEqual)
        case .greater(let operand, let orEqual): return range(operand, isUpper: false, orEqual: orEqual)
        case .pattern(let pattern): return prefix(pattern)
        case .kind(let kinds): return kind(kinds)
        case .remainder: return Implied(intervals: .kind(0x10), isExact: false)
        case .elementValue(let tests):
            // One element fulfils them all, and has a key.
            var intervals = KeyIntervals.everything
            for test in tests {
                guard case .fulfils(let predicate, isNegated: false) = test else { continue }
                // The element is an array itself then, and its key says nothing of its elements.
                if case .elementValue = predicate { continue }
                intervals = intervals.intersection(implied(by: predicate).intervals)
            }
            return Implied(intervals: intervals, isExact: false)
        case .never: return Implied(intervals: .nothing, isExact: false)
        case .exists, .size, .elementDocument: return .unknown
        }
    }

    /// The keys of a field whose value, as a whole, compares in some way with an operand.
    struct ImpliedByWhole {
        var intervals: KeyIntervals
        /// An array may fulfil it.
        var seesArrays: Bool
        var requiresValue: Bool
    }

    /// What a comparison over the order of all kinds implies; a missing field is below null, and has the key of null.
    static func implied(by comparison: ExpressionComparison, _ operand: Operand) -> ImpliedByWhole? {
        // What compares with an array is an array, which has the keys of its elements.
        if case .encoded(_, .array) = operand { return nil }
        let key = operand.key
        guard let tag = key.first else { return nil }
        // Of the values that are cut to the key of the operand, some are on the other side.
        let isCut = key.count == IndexKeyPattern.maximumFieldBytes
        let isBelowArrays = tag < OrderedEncoding.array
        switch comparison {
        case .equal:
            return ImpliedByWhole(
                intervals: KeyIntervals(union: [KeyInterval(point: key)]), seesArrays: false,
                requiresValue: !operand.isNull)
        case .greater, .greaterOrEqual:
            let lower = comparison == .greaterOrEqual || isCut ? key : key.prefixEnd
            return ImpliedByWhole(
                intervals: KeyIntervals(union: [KeyInterval(lower, [0xFF])]), seesArrays: isBelowArrays,
                requiresValue: !isBelowArrays)
        case .less, .lessOrEqual:
            let upper = comparison == .lessOrEqual || isCut || operand.isNull ? key.prefixEnd : key
            return ImpliedByWhole(
                intervals: KeyIntervals(union: [KeyInterval([], upper)]), seesArrays: !isBelowArrays,
                requiresValue: false)
        case .notEqual, .compare: return nil
        }
    }

    private static func equal(_ operand: Operand) -> Implied {
        let key = operand.key
        guard case .encoded(let bytes, .array) = operand else {
            return Implied(
                intervals: KeyIntervals(union: [KeyInterval(point: key)]),
                isExact: key.count < IndexKeyPattern.maximumFieldBytes)
        }
        // The keys of an array are those of its elements; as an element of another it has one of its own.
        var reader = MessagePackReader(bytes.span.bytes)
        var points = [KeyInterval(point: key)]
        if let count = try? reader.readArrayHead(), count > 0 {
            var first: [UInt8] = []
            guard (try? OrderedEncoding.append(&reader, depth: 0, to: &first)) != nil else { return .unknown }
            points.append(KeyInterval(point: Self.cut(first)))
        } else {
            points.append(KeyInterval(point: [OrderedEncoding.emptyArray]))
        }
        return Implied(intervals: KeyIntervals(union: points), isExact: false)
    }

    private static func range(_ operand: Operand, isUpper: Bool, orEqual: Bool) -> Implied {
        let key = operand.key
        guard let tag = key.first else { return .unknown }
        if operand.isNull || operand.isNaN {
            // Only equal to itself.
            let point = KeyIntervals(union: [KeyInterval(point: key)])
            return Implied(intervals: orEqual ? point : .nothing, isExact: true)
        }
        if case .encoded(_, .array) = operand { return .unknown }
        // Of the values that are cut to the key of the operand, some are on the other side.
        let isCut = key.count == IndexKeyPattern.maximumFieldBytes
        let bound: KeyInterval
        if isUpper {
            bound = KeyInterval([tag], orEqual || isCut ? key.prefixEnd : key)
        } else {
            bound = KeyInterval(orEqual || isCut ? key : key.prefixEnd, [tag + 1])
        }
        var intervals = KeyIntervals(union: [bound])
        if case .number = operand { intervals = intervals.intersection(.numbers) }
        return Implied(intervals: intervals, isExact: !isCut)
    }

    private static func prefix(_ pattern: Pattern) -> Implied {
        guard let text = pattern.literalPrefix else { return Implied(intervals: .kind(0x20), isExact: false) }
        var key: [UInt8] = [0x20]
        for byte in text {
            key.append(byte)
            if byte == 0 { key.append(0xFF) }
        }
        let isCut = key.count >= IndexKeyPattern.maximumFieldBytes
        key = cut(key)
        return Implied(
            intervals: KeyIntervals(union: [KeyInterval(key, key.prefixEnd)]), isExact: pattern.isOnlyPrefix && !isCut)
    }

    private static func kind(_ kinds: KindSet) -> Implied {
        if kinds.contains(.array) { return .unknown }
        let tags: [(KindSet, UInt8)] = [
            (.null, 0x05), (.double, 0x10), (.integer, 0x10), (.string, 0x20), (.document, 0x30), (.binary, 0x50),
            (.boolean, 0x60), (.timestamp, 0x70), (.extended, 0x80)
        ]
        var intervals = KeyIntervals.nothing
        for (kind, tag) in tags where kinds.contains(kind) { intervals = intervals.union(.kind(tag)) }
        return Implied(intervals: intervals, isExact: false)
    }

    /// A key as an index stores it.
    static func cut(_ key: [UInt8]) -> [UInt8] {
        key.count <= IndexKeyPattern.maximumFieldBytes ? key : Array(key.prefix(IndexKeyPattern.maximumFieldBytes))
    }
}

extension Operand {
    /// The key of the operand, cut where an index cuts.
    var key: [UInt8] {
        var key: [UInt8] = []
        switch self {
        case .null: key = [OrderedEncoding.null]
        case .bool(let value): key = [0x60, value ? 1 : 0]
        case .number(let number):
            key = [0x10]
            OrderedEncoding.append(number, to: &key)
        case .string(let text):
            key = [0x20]
            OrderedEncoding.appendText(text.span.bytes, to: &key)
        case .encoded(let bytes, _):
            // Encoded by the compiler of the filter, it is well-formed.
            try? OrderedEncoding.append(bytes.span.bytes, to: &key)
        }
        return KeyIntervals.cut(key)
    }
}
