import NexaValue

/// Turns an update document into a tree, and refuses what has no meaning.
struct UpdateCompiler {
    static let operators = [
        "$set", "$unset", "$inc", "$mul", "$min", "$max", "$rename", "$push", "$addToSet", "$pull", "$pullAll", "$pop",
        "$currentDate", "$setOnInsert", "$bit"
    ]

    private(set) var filters: [UpdateArrayFilter]
    private(set) var renames: [UpdateProgram.Rename] = []
    private(set) var usesMatchedIndex = false
    private let tree = UpdateTreeBuilder()
    private var usedFilters = Set<Int>()
    private var pathCount = 0

    init(arrayFilters: [Document]) throws(QueryError) {
        filters = []
        for filter in arrayFilters {
            let compiled = try UpdateArrayFilter(compiling: filter)
            guard !filters.contains(where: { $0.name == compiled.name }) else {
                throw QueryError(
                    .invalidOperand, "Found multiple array filters with the same top-level field name \(compiled.name)")
            }
            filters.append(compiled)
        }
    }

    mutating func compile(_ update: Document) throws(QueryError) -> UpdateNode {
        for (name, operand) in update {
            guard name.utf8.first == 0x24 else {
                throw QueryError(
                    .invalidOperand,
                    "an update has operators only; the field \"\(name)\" belongs below one, as in {$set: {\(name): …}}")
            }
            guard Self.operators.contains(name) else { throw .unknownOperator(name, known: Self.operators) }
            guard case .document(let fields) = operand else {
                throw QueryError(
                    .invalidOperand,
                    "Modifiers operate on fields but we found type \(operand.kindName) instead."
                        + " For example: {\(name): {<field>: ...}} not {\(name): \(operand.brief)}")
            }
            for (field, value) in fields {
                pathCount += 1
                guard pathCount <= UpdateProgram.maximumPaths else {
                    throw .limit("the update names more than \(UpdateProgram.maximumPaths) fields")
                }
                try UpdateProgram.checkNesting(value, depth: 0)
                try add(name, value, at: try path(field))
            }
        }
        for (number, filter) in filters.enumerated() where !usedFilters.contains(number) {
            throw QueryError(
                .invalidOperand, "The array filter for identifier '\(filter.name)' was not used in the update")
        }
        return tree.finished()
    }

    private mutating func path(_ text: String) throws(QueryError) -> UpdatePath {
        let path = try UpdatePath(text) { name in filters.firstIndex { $0.name == name } }
        for case .elements(let filter?) in path.steps { usedFilters.insert(filter) }
        usesMatchedIndex = usesMatchedIndex || path.usesMatchedIndex
        return path
    }

    private mutating func add(_ name: String, _ operand: Value, at path: UpdatePath) throws(QueryError) {
        if name == "$rename" { return try addRename(operand, from: path) }
        try tree.insert(try modification(name, operand, path), at: path)
    }

    private func modification(
        _ name: String, _ operand: Value, _ path: UpdatePath
    ) throws(QueryError) -> Modification {
        switch name {
        case "$set": return .set(operand)
        case "$setOnInsert": return .setOnInsert(operand)
        case "$unset": return .unset
        case "$inc":
            guard operand.isNumber else {
                throw QueryError(
                    .invalidOperand, "Cannot increment with non-numeric argument: {\(path.text): \(operand.brief)}")
            }
            return .increment(by: operand)
        case "$mul":
            guard operand.isNumber else {
                throw QueryError(
                    .invalidOperand, "Cannot multiply with non-numeric argument: {\(path.text): \(operand.brief)}")
            }
            return .multiply(by: operand)
        case "$min": return .minimum(operand)
        case "$max": return .maximum(operand)
        case "$push": return .push(try push(operand, path))
        case "$addToSet": return .addToSet(UpdateAddition(try additions(operand)))
        case "$pull": return .pull(try pull(operand))
        case "$pullAll":
            guard let values = operand.elements else {
                throw QueryError(
                    .invalidOperand, "$pullAll requires an array argument but was given a \(operand.kindName)")
            }
            return .pull(.equal(Set(values.map(\.ordered))))
        case "$pop":
            guard let number = operand.int, number == 1 || number == -1 else {
                throw QueryError(.invalidOperand, "$pop expects 1 or -1, found: \(operand.brief)")
            }
            return .pop(first: number == -1)
        case "$currentDate": return try currentDate(operand)
        default: return .bit(try bits(operand))
        }
    }

    private mutating func addRename(_ operand: Value, from source: UpdatePath) throws(QueryError) {
        guard case .string(let text) = operand else {
            throw QueryError(
                .invalidOperand, "The 'to' field for $rename must be a string: \(source.text): \(operand.brief)")
        }
        let target = try path(text)
        guard let from = source.names else {
            throw QueryError(.invalidPath, "The source field for $rename may not be dynamic: \(source.text)")
        }
        guard let to = target.names else {
            throw QueryError(.invalidPath, "The destination field for $rename may not be dynamic: \(text)")
        }
        let pair = "\(source.text): \"\(text)\""
        guard from != to else {
            throw QueryError(.invalidPath, "The source and target field for $rename must differ: \(pair)")
        }
        guard !from.starts(with: to), !to.starts(with: from) else {
            throw QueryError(
                .invalidPath, "The source and target field for $rename must not be on the same path: \(pair)")
        }
        try tree.insert(nil, at: source)
        try tree.insert(.rename(renames.count), at: target)
        renames.append(UpdateProgram.Rename(source: from, target: to))
    }

    // MARK: Operands

    private func currentDate(_ operand: Value) throws(QueryError) -> Modification {
        if case .bool = operand { return .currentDate }
        if case .document(let document) = operand, document.count == 1, case .string(let type)? = document["$type"],
            type == "date" || type == "timestamp"
        {
            return .currentDate
        }
        throw QueryError(
            .invalidOperand,
            "\(operand.kindName) is not valid type for $currentDate."
                + " Please use a boolean ('true') or a $type expression ({$type: 'timestamp/date'}).")
    }

    private func bits(_ operand: Value) throws(QueryError) -> UpdateBits {
        guard case .document(let document) = operand, !document.isEmpty else {
            throw QueryError(
                .invalidOperand, "The $bit modifier needs a document {and|or|xor: integer}, found \(operand.brief)")
        }
        var operations: [(UpdateBits.Operation, Int64)] = []
        for (name, value) in document {
            guard let operation = UpdateBits.Operation(rawValue: name) else {
                throw QueryError(
                    .invalidOperand,
                    "The $bit modifier only supports 'and', 'or', and 'xor', not '\(name)' which is an unknown operator"
                )
            }
            guard case .int(let number) = value else {
                throw QueryError(
                    .invalidOperand,
                    "The $bit modifier field must be an Integer(32/64 bit); a '\(value.kindName)' is not supported here"
                )
            }
            operations.append((operation, number))
        }
        return UpdateBits(operations: operations)
    }

    /// The values of `$addToSet`.
    private func additions(_ operand: Value) throws(QueryError) -> [Value] {
        guard let (each, document) = try Self.each("$addToSet", operand, clauses: ["$each"]) else { return [operand] }
        if let other = document.first(where: { $0.key != "$each" })?.key {
            throw QueryError(.invalidOperand, "Found unexpected fields after $each in $addToSet: \(other)")
        }
        return each
    }

    private func push(_ operand: Value, _ path: UpdatePath) throws(QueryError) -> UpdatePush {
        let clauses = ["$each", "$slice", "$sort", "$position"]
        guard let (each, document) = try Self.each("$push", operand, clauses: clauses) else {
            return UpdatePush(values: [operand])
        }
        var push = UpdatePush(values: each)
        for (name, value) in document {
            switch name {
            case "$each": break
            case "$slice": push.slice = try Self.integer(name, value)
            case "$position": push.position = try Self.integer(name, value)
            case "$sort": push.order = try Self.order(value)
            default:
                throw QueryError(
                    .invalidOperand, "Unrecognized clause in $push: \(name); known: \(clauses.joined(separator: " "))")
            }
        }
        return push
    }

    /// The values of `$each`, and the clauses beside it; `nil` for an operand that is one value.
    private static func each(
        _ name: String, _ operand: Value, clauses: [String]
    ) throws(QueryError) -> ([Value], Document)? {
        guard case .document(let document) = operand else { return nil }
        guard let each = document["$each"] else {
            // References ({$ref: …, $id: …}) are values; everything else with a $ is a slip.
            guard let first = document.first?.key, first.utf8.first == 0x24, first != "$ref" else { return nil }
            if clauses.contains(first) {
                throw QueryError(.invalidOperand, "\(first) needs $each beside it: {\(name): {<field>: {$each: […]}}}")
            }
            throw .unknownOperator(first, known: clauses)
        }
        guard let values = each.elements else {
            throw QueryError(
                .invalidOperand,
                "The argument to $each in \(name) must be an array but it was of type \(each.kindName)")
        }
        return (values, document)
    }

    private static func integer(_ name: String, _ value: Value) throws(QueryError) -> Int {
        guard let number = value.int else {
            throw QueryError(
                .invalidOperand, "The value for \(name) must be an integer value but was given \(value.brief)")
        }
        return Int(number)
    }

    private static func order(_ value: Value) throws(QueryError) -> UpdatePush.Order {
        if let direction = value.int, direction == 1 || direction == -1 { return .whole(isDescending: direction == -1) }
        guard case .document(let document) = value, !document.isEmpty else {
            throw QueryError(
                .invalidOperand, "The $sort is invalid: use 1/-1 to sort the whole element, or {field:1/-1}")
        }
        guard document.count <= SortOrder.maximumFields else {
            throw .limit("the $sort of $push has more than \(SortOrder.maximumFields) fields")
        }
        var fields: [(path: String, isDescending: Bool)] = []
        for (path, direction) in document {
            guard let direction = direction.int, direction == 1 || direction == -1 else {
                throw QueryError(.invalidOperand, "The $sort element value must be either 1 or -1")
            }
            _ = try FieldPath(path)
            fields.append((path, direction == -1))
        }
        return .fields(fields)
    }

    private func pull(_ operand: Value) throws(QueryError) -> UpdatePull {
        guard case .document(let document) = operand else { return .equal([operand.ordered]) }
        if let first = document.first?.key, first.utf8.first == 0x24, !FilterCompiler.logicalOperators.contains(first) {
            return .values(try QueryFilter(compiling: ["v": operand], allowsExpressions: false))
        }
        return .documents(try QueryFilter(compiling: document, allowsExpressions: false))
    }
}

/// A condition that the elements meant by `$[name]` fulfil.
struct UpdateArrayFilter: Sendable {
    let name: String
    private let filter: QueryFilter

    init(compiling filter: Document) throws(QueryError) {
        var names: [String] = []
        try Self.collect(filter, depth: 0, into: &names)
        guard let name = names.first else {
            throw QueryError(
                .invalidOperand, "Cannot use an expression without a top-level field name in arrayFilters")
        }
        if let other = names.first(where: { $0 != name }) {
            throw QueryError(
                .invalidOperand,
                "Error parsing array filter: Expected a single top-level field name, found '\(name)' and '\(other)'")
        }
        let isFirstLower = name.utf8.first.map { $0 >= 0x61 && $0 <= 0x7A } ?? false
        let isAlphanumeric = name.utf8.allSatisfy {
            ($0 >= 0x30 && $0 <= 0x39) || ($0 >= 0x41 && $0 <= 0x5A) || ($0 >= 0x61 && $0 <= 0x7A)
        }
        guard isFirstLower, isAlphanumeric else {
            throw QueryError(
                .invalidOperand,
                "Error parsing array filter: The top-level field name must be an alphanumeric string beginning with"
                    + " a lowercase letter, found '\(name)'")
        }
        self.name = name
        self.filter = try QueryFilter(compiling: filter, allowsExpressions: false)
    }

    /// Whether an element fulfils the condition.
    func holds(_ element: Value) throws(QueryError) -> Bool {
        try filter.matches(MessagePack.encode([name: element] as Document).span.bytes)
    }

    /// The names with which the paths of a filter begin.
    private static func collect(_ filter: Document, depth: Int, into names: inout [String]) throws(QueryError) {
        guard depth < 100 else { throw .limit("an array filter nests deeper than 100 levels") }
        for (key, value) in filter {
            if FilterCompiler.logicalOperators.contains(key), case .array(let parts) = value {
                for case .document(let part) in parts { try collect(part, depth: depth + 1, into: &names) }
            } else if key.utf8.first != 0x24 {
                let name = String(key.prefix { $0 != "." })
                if !names.contains(name), names.count < 2 { names.append(name) }
            }
        }
    }
}
