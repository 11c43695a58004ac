import NexaValue

/// Collects conditions and groups those on fields by the first name of their path.
struct ConjunctionBuilder {
    private var groups: [Conjunction.Group] = []
    private var positions: [FieldPath.Part: Int] = [:]
    private var others: [Node] = []
    private var full: [Conjunction] = []

    mutating func add(_ node: Node) { others.append(node) }

    mutating func add(_ test: ElementTest, at path: FieldPath) {
        switch test {
        case .fulfils(let predicate, let isNegated):
            let test = FieldTest(rest: Array(path.parts.dropFirst()), predicate: predicate, isNegated: isNegated)
            if let position = positions[path.parts[0]] {
                groups[position].tests.append(test)
                return
            }
            if groups.count == Conjunction.maximumGroups {
                full.append(Conjunction(groups: groups, others: []))
                groups = []
                positions = [:]
            }
            positions[path.parts[0]] = groups.count
            groups.append(Conjunction.Group(name: path.parts[0], tests: [test]))
        case .notAll(let tests):
            var inner = ConjunctionBuilder()
            for test in tests { inner.add(test, at: path) }
            others.append(.none([inner.finished()]))
        }
    }

    func finished() -> Conjunction {
        Conjunction(groups: groups, others: full.map(Node.all) + others)
    }
}

extension IDConstraint {
    /// What a filter that compiles requires of `_id`.
    init(requiredBy filter: Document) {
        self = .any
        for (name, value) in filter {
            switch (name, value) {
            case ("_id", .document(let operators)) where operators.first?.key.utf8.first == 0x24:
                for (name, operand) in operators { self = and(Self.requirement(name, operand)) }
            case ("_id", _): self = and(.equalToOne(of: [value]))
            case ("$and", .array(let filters)):
                for case .document(let filter) in filters { self = and(IDConstraint(requiredBy: filter)) }
            case ("$or", .array(let filters)):
                self = and(.or(filters.compactMap(\.document).map { IDConstraint(requiredBy: $0) }))
            default: break
            }
        }
    }

    private static func requirement(_ name: String, _ operand: Value) -> IDConstraint {
        switch (name, operand) {
        case ("$eq", _): return .equalToOne(of: [operand])
        case ("$in", .array(let values)): return .equalToOne(of: values)
        default: break
        }
        guard let value = canonical(operand) else { return .any }
        switch name {
        case "$gt": return .range(lower: Bound(value, isInclusive: false), upper: nil)
        case "$gte": return .range(lower: Bound(value, isInclusive: true), upper: nil)
        case "$lt": return .range(lower: nil, upper: Bound(value, isInclusive: false))
        case "$lte": return .range(lower: nil, upper: Bound(value, isInclusive: true))
        default: return .any
        }
    }
}
