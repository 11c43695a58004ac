import NexaValue

/// Reads a projection, and refuses what has no meaning.
struct ProjectionCompiler {
    private(set) var tree = ProjectionTree()
    private(set) var elements: [ProjectedElement] = []
    private(set) var additions: [ProjectedAddition] = []
    /// `nil` until a field other than `_id`, or an expression, decides.
    private var decided: Bool?
    private var includesID: Bool?
    private var hasSlice = false
    private var count = 0
    private var nodes = 0
    private var patterns = 0
    /// One for all, so that its limits are those of the projection.
    private var filters = FilterCompiler(limits: .standard, allowsExpressions: false)

    /// Where MongoDB is asked for `$slice`, `$elemMatch` and `_id` only, it decides by these, for old times' sake.
    var isInclusion: Bool {
        if let decided { return decided }
        if hasSlice || elements.isEmpty { return includesID == true }
        return true
    }

    mutating func finish() throws(QueryError) {
        let id = FieldPath.Part("_id")
        if isInclusion ? includesID != false && !tree.reaches(id) : includesID == false {
            try tree.insert([id], .whole, path: "_id")
        }
    }

    /// Keeps places free for fields that somebody else computes, which makes this an inclusion.
    mutating func reserve(_ paths: [[String]]) throws(QueryError) {
        for path in paths {
            let path = path.joined(separator: ".")
            try tree.insert(FieldPath(path).parts[...], .computed, path: path)
        }
        if !paths.isEmpty { decided = true }
    }

    mutating func add(_ projection: Document, below prefix: [String] = [], depth: Int = 0) throws(QueryError) {
        guard depth < FieldPath.maximumParts else {
            throw .limit("the projection nests deeper than \(FieldPath.maximumParts) levels")
        }
        for (name, value) in projection {
            if name.utf8.first == 0x24 { throw Self.misplaced(name, below: prefix) }
            let names = prefix + name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
            guard !names.contains("$") else {
                throw QueryError(
                    .invalidPath, "a projection has no positional $; use {\(names[0]): {$elemMatch: …}} for \"\(name)\""
                )
            }
            if case .document(let inner) = value {
                let first = inner.first?.key ?? ""
                guard inner.count == 1, first.utf8.first == 0x24, let operand = inner.first?.value else {
                    guard !inner.isEmpty else {
                        throw QueryError(
                            .invalidOperand,
                            "the projection of \"\(name)\" is an empty document; {$literal: {}} stands for one")
                    }
                    try add(inner, below: names, depth: depth + 1)
                    continue
                }
                try countField()
                switch first {
                case "$elemMatch": try addElement(names, operand)
                case "$slice" where !Self.isExpression(operand): try addSlice(names, operand)
                default: try addExpression(names, value)
                }
                continue
            }
            try countField()
            switch value {
            case .bool(let flag): try choose(names, flag)
            case .int, .uint, .double: try choose(names, value.double != 0)
            default: try addExpression(names, value)
            }
        }
    }

    private static func misplaced(_ name: String, below prefix: [String]) -> QueryError {
        guard let field = prefix.last else {
            return QueryError(.unknownOperator, "\(name) needs a field: write {field: {\(name): …}}")
        }
        return QueryError(
            .invalidOperand, "the projection of \"\(field)\" has more beside \(name), which stands alone")
    }

    private mutating func countField() throws(QueryError) {
        count += 1
        guard count <= Projection.maximumFields else {
            throw .limit("the projection names more than \(Projection.maximumFields) fields")
        }
    }

    // MARK: Fields

    private mutating func choose(_ names: [String], _ includes: Bool) throws(QueryError) {
        if names == ["_id"] {
            includesID = includes
            return
        }
        let path = names.joined(separator: ".")
        guard decided == nil || decided == includes else {
            throw QueryError(
                .invalidOperand,
                "a projection either includes fields or leaves them out; \"\(path)\" does the other thing")
        }
        decided = includes
        try insert(names, .whole)
    }

    private mutating func insert(_ names: [String], _ leaf: ProjectionTree.Leaf) throws(QueryError) {
        let path = names.joined(separator: ".")
        try tree.insert(FieldPath(path).parts[...], leaf, path: path)
    }

    private mutating func addElement(_ names: [String], _ operand: Value) throws(QueryError) {
        guard names.count == 1 else {
            throw QueryError(
                .invalidPath,
                "$elemMatch stands for a field of the document, not for \"\(names.joined(separator: "."))\"")
        }
        let program = try filters.conjunction([names[0]: ["$elemMatch": operand]], depth: 0)
        try insert(names, .element(elements.count))
        additions.append(.element(elements.count))
        elements.append(ProjectedElement(name: FieldPath.Part(names[0]), filter: QueryFilter(program)))
    }

    private mutating func addExpression(_ names: [String], _ value: Value) throws(QueryError) {
        let path = names.joined(separator: ".")
        guard decided != false else {
            throw QueryError(
                .invalidOperand, "a projection that leaves fields out cannot compute others; \"\(path)\" is computed")
        }
        decided = true
        let expression = try Expression(compiling: value)
        nodes += expression.nodeCount
        patterns += expression.patternCount
        guard nodes <= Expression.maximumNodes, patterns <= Expression.maximumPatterns else {
            throw .limit(
                "the projection has more than \(Expression.maximumNodes) operators or "
                    + "\(Expression.maximumPatterns) regular expressions")
        }
        try insert(names, .computed)
        additions.append(.computed(names, expression))
    }

    // MARK: $slice

    /// `{$slice: ["$field", 2]}` is the operator of that name among the expressions.
    private static func isExpression(_ operand: Value) -> Bool {
        guard case .array(let values) = operand, let first = values.first else { return false }
        return first.double == nil
    }

    private mutating func addSlice(_ names: [String], _ operand: Value) throws(QueryError) {
        var slice = ProjectedSlice(skip: nil, count: 0)
        if let count = Self.whole(operand) {
            slice.count = count
        } else if case .array(let values) = operand {
            guard values.count == 2, let skip = Self.whole(values[0]), let count = Self.whole(values[1]) else {
                throw QueryError(.invalidOperand, "$slice needs a number, or two: [skip, count]")
            }
            guard count > 0 else {
                throw QueryError(.invalidOperand, "$slice needs a positive count behind skip, found \(count)")
            }
            slice = ProjectedSlice(skip: skip, count: count)
        } else {
            throw .operand("$slice", needs: "a number, or two: [skip, count]", found: operand)
        }
        hasSlice = true
        try insert(names, .slice(slice))
    }

    /// A number without its fraction, as far as 64 bits reach.
    private static func whole(_ value: Value) -> Int? {
        if let number = value.int { return Int(clamping: number) }
        guard let number = value.double else { return nil }
        if number.isNaN { return 0 }
        return Int(exactly: number.rounded(.towardZero)) ?? (number < 0 ? .min : .max)
    }
}
