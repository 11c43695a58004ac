import NexaValue

/// What a filter says about single fields, in the terms of index keys: every document that it matches has, for each
/// of these fields, a key in the intervals.
///
/// It is necessary, not sufficient: documents found with its help still have to pass `QueryFilter.matches`, unless
/// `isComplete` and `Field.isExact` say otherwise.
public struct FilterConstraints: Sendable {
    /// A condition on one field.
    public struct Field: Sendable {
        /// The dotted path.
        public var path: String
        /// Where a key of a matching document lies. Several conditions on a field may be met by different elements of
        /// an array, so their intervals may only be intersected when there are no arrays.
        public var intervals: KeyIntervals
        /// A field without arrays fulfils the condition exactly when its key is in the intervals; one with arrays,
        /// when one of its keys is and null is not among the intervals.
        public var isExact: Bool
        /// A matching document has the field.
        public var requiresValue: Bool
        /// It compares the value as a whole, so that an array may fulfil it though none of its elements does: where there
        /// are arrays, it says nothing of the keys.
        public var comparesWhole = false
    }

    /// The conditions that all hold. A field may occur several times.
    public internal(set) var fields: [Field] = []
    /// For each `$or`, what its parts say; one of them holds.
    public internal(set) var alternatives: [[FilterConstraints]] = []
    /// The filter says nothing else than that its fields fulfil their conditions.
    public internal(set) var isComplete = true

    /// What a program says of the documents, or of the documents below a path, that fulfil it.
    init(_ program: Conjunction, below parent: [FieldPath.Part] = []) {
        for group in program.groups {
            for test in group.tests { add(test, parent + [group.name] + test.rest, isNested: !parent.isEmpty) }
        }
        for node in program.others {
            switch node {
            case .all(let program):
                let inner = FilterConstraints(program, below: parent)
                fields += inner.fields
                alternatives += inner.alternatives
                isComplete = isComplete && inner.isComplete
            case .any(let programs):
                isComplete = false
                let parts = programs.map { FilterConstraints($0, below: parent) }
                if parent.isEmpty { alternatives.append(parts) }
                fields += Self.common(to: parts)
            case .expression(let expression, _):
                isComplete = false
                if parent.isEmpty { add(expression.node) }
            default: isComplete = false
            }
        }
    }

    private mutating func add(_ test: FieldTest, _ path: [FieldPath.Part], isNested: Bool) {
        let name = String(decoding: Array(path.map(\.name).joined(separator: [0x2E])), as: UTF8.self)
        guard !test.isNegated else {
            isComplete = false
            if case .exists = test.predicate, !isNested {
                fields.append(Field(path: name, intervals: .null, isExact: false, requiresValue: false))
            }
            return
        }
        // An array among the elements counts as a document without the field, but has no key for that.
        if isNested, test.matchesMissing { return isComplete = false }
        if case .elementDocument(let program) = test.predicate {
            isComplete = false
            let inner = FilterConstraints(program, below: path)
            fields += inner.fields
            return
        }
        let implied = KeyIntervals.implied(by: test.predicate)
        let isExact = implied.isExact && !isNested
        if isNested { isComplete = false }
        fields.append(
            Field(
                path: name, intervals: implied.intervals, isExact: isExact, requiresValue: !test.matchesMissing))
    }

    /// What `$expr` says by comparing a field with a constant, here or in its `$and`.
    private mutating func add(_ node: ExpressionNode) {
        let implied: KeyIntervals.ImpliedByWhole?
        let path: ExpressionPath
        switch node {
        case .all(let nodes):
            for node in nodes { add(node) }
            return
        case .test(let comparison, let tested, let operand, _):
            implied = KeyIntervals.implied(by: comparison, operand)
            path = tested
        case .compare(let comparison, .literal(.some(let value)), .path(let tested)) where !tested.names.isEmpty:
            implied = KeyIntervals.implied(by: comparison.flipped, Operand(value))
            path = tested
        default: return
        }
        guard let implied else { return }
        fields.append(
            Field(
                path: path.names.joined(separator: "."), intervals: implied.intervals, isExact: false,
                requiresValue: implied.requiresValue, comparesWhole: implied.seesArrays))
    }

    /// What holds whichever of the parts does: fields that all of them speak of, among the first few of the first part.
    private static func common(to parts: [FilterConstraints]) -> [Field] {
        guard let first = parts.first else { return [] }
        var fields: [Field] = []
        for path in Set(first.fields.prefix(16).map(\.path)).sorted() {
            var intervals: [KeyInterval] = []
            var requiresValue = true
            var comparesWhole = false
            var isCommon = true
            for part in parts {
                let own = part.fields.filter { $0.path == path }
                guard let best = own.first(where: { $0.intervals.arePoints }) ?? own.first else {
                    isCommon = false
                    break
                }
                intervals += best.intervals.list
                requiresValue = requiresValue && best.requiresValue
                comparesWhole = comparesWhole || best.comparesWhole
            }
            guard isCommon else { continue }
            fields.append(
                Field(
                    path: path, intervals: KeyIntervals(union: intervals), isExact: false,
                    requiresValue: requiresValue, comparesWhole: comparesWhole))
        }
        return fields
    }
}

extension QueryFilter {
    /// What the filter says about single fields. Made anew each time.
    public var constraints: FilterConstraints { FilterConstraints(program) }
}
