import NexaValue

/// The operators that do not simply apply a function to their arguments.
extension ExpressionCompiler {
    mutating func special(_ name: String, _ operand: Value, depth: Int) throws(QueryError) -> ExpressionNode? {
        if let comparison = ExpressionComparison(rawValue: name) {
            let arguments = try positional(name, operand, 2, 2, depth: depth)
            if case .path(let path) = arguments[0], !path.names.isEmpty, case .literal(.some(let value)) = arguments[1]
            {
                return .test(comparison, path, Operand(value), value)
            }
            return .compare(comparison, arguments[0], arguments[1])
        }
        switch name {
        case "$literal", "$const":
            try checkNesting(operand, depth: 0)
            return .literal(operand)
        case "$and": return .all(try positional(name, operand, 0, .max, depth: depth))
        case "$or": return .any(try positional(name, operand, 0, .max, depth: depth))
        case "$ifNull": return .firstNonNull(try positional(name, operand, 2, .max, depth: depth))
        case "$cond": return try conditional(operand, depth: depth)
        case "$switch": return try branches(operand, depth: depth)
        case "$let": return try binding(operand, depth: depth)
        case "$map": return try map(operand, depth: depth)
        case "$filter": return try filter(operand, depth: depth)
        case "$reduce": return try reduce(operand, depth: depth)
        case "$sortArray": return try sort(operand, depth: depth)
        case "$getField": return try field(operand, depth: depth)
        case "$setField": return .call(try named(.setField, .setField, operand, depth: depth))
        case "$unsetField": return .call(try named(.unsetField, .unsetField, operand, depth: depth))
        case "$regexMatch", "$regexFind", "$regexFindAll": return try search(name, operand, depth: depth)
        case "$convert": return try conversion(.convert, .convert, operand, depth: depth)
        case "$dateFromString": return try conversion(.dateFromString, .dateFromString, operand, depth: depth)
        default: return nil
        }
    }

    private func checkNesting(_ value: Value, depth: Int) throws(QueryError) {
        guard depth <= Expression.maximumDepth else {
            throw .limit("a literal of the expression nests deeper than \(Expression.maximumDepth) levels")
        }
        switch value {
        case .array(let values): for value in values { try checkNesting(value, depth: depth + 1) }
        case .document(let document): for (_, value) in document { try checkNesting(value, depth: depth + 1) }
        default: break
        }
    }

    private mutating func conditional(_ operand: Value, depth: Int) throws(QueryError) -> ExpressionNode {
        let arguments: [ExpressionNode]
        if case .document(let document) = operand, document.first?.key.utf8.first != 0x24 {
            let fields = try fields("$cond", [.required("if"), .required("then"), .required("else")], operand)
            arguments = try compile(fields.compactMap { $0 }, depth: depth)
        } else {
            arguments = try positional("$cond", operand, 3, 3, depth: depth)
        }
        return .conditional(arguments[0], arguments[1], arguments[2])
    }

    private mutating func branches(_ operand: Value, depth: Int) throws(QueryError) -> ExpressionNode {
        let fields = try fields("$switch", [.required("branches"), .optional("default")], operand)
        guard case .some(.array(let values)) = fields[0] else {
            throw .expression("$switch expected an array for 'branches', found: \(fields[0].typeName)")
        }
        guard !values.isEmpty else { throw .expression("$switch requires at least one branch.") }
        var branches: [(condition: ExpressionNode, value: ExpressionNode)] = []
        for value in values {
            let fields = try self.fields("$switch's branch", [.required("case"), .required("then")], value)
            let nodes = try compile(fields.compactMap { $0 }, depth: depth)
            branches.append((nodes[0], nodes[1]))
        }
        guard let otherwise = fields[1] else { return .branches(branches, otherwise: nil) }
        return .branches(branches, otherwise: try compile(otherwise, depth: depth))
    }

    // MARK: Variables

    private mutating func binding(_ operand: Value, depth: Int) throws(QueryError) -> ExpressionNode {
        let fields = try fields("$let", [.required("vars"), .required("in")], operand)
        guard case .some(.document(let variables)) = fields[0] else {
            throw .expression("$let: 'vars' must be an object, found: \(fields[0].typeName)")
        }
        var names: [String] = []
        var values: [ExpressionNode] = []
        for (name, value) in variables {
            names.append(try variableName(.string(name), for: "$let"))
            values.append(try compile(value, depth: depth))
        }
        return .bind(values, body: try body(fields[1] ?? .null, binding: names, depth: depth))
    }

    /// Compiles an expression that sees more variables.
    private mutating func body(
        _ value: Value, binding names: [String], depth: Int
    ) throws(QueryError) -> ExpressionNode {
        let outer = scope
        scope += names
        let node = try compile(value, depth: depth)
        scope = outer
        return node
    }

    private mutating func map(_ operand: Value, depth: Int) throws(QueryError) -> ExpressionNode {
        let fields = try fields("$map", [.required("input"), .optional("as"), .required("in")], operand)
        let name = try variableName(fields[1] ?? "this", for: "$map")
        let input = try compile(fields[0] ?? .null, depth: depth)
        return .map(input, body: try body(fields[2] ?? .null, binding: [name], depth: depth))
    }

    private mutating func filter(_ operand: Value, depth: Int) throws(QueryError) -> ExpressionNode {
        let fields = try fields(
            "$filter", [.required("input"), .optional("as"), .required("cond"), .optional("limit")], operand)
        let name = try variableName(fields[1] ?? "this", for: "$filter")
        let input = try compile(fields[0] ?? .null, depth: depth)
        let limit: ExpressionNode? = if let limit = fields[3] { try compile(limit, depth: depth) } else { nil }
        let condition = try body(fields[2] ?? .null, binding: [name], depth: depth)
        return .filter(input, condition: condition, limit: limit)
    }

    private mutating func reduce(_ operand: Value, depth: Int) throws(QueryError) -> ExpressionNode {
        let fields = try fields(
            "$reduce", [.required("input"), .required("initialValue"), .required("in")], operand)
        let input = try compile(fields[0] ?? .null, depth: depth)
        let initial = try compile(fields[1] ?? .null, depth: depth)
        let body = try body(fields[2] ?? .null, binding: ["value", "this"], depth: depth)
        return .reduce(input, initial: initial, body: body)
    }

    // MARK: Others

    private mutating func sort(_ operand: Value, depth: Int) throws(QueryError) -> ExpressionNode {
        let fields = try fields("$sortArray", [.required("input"), .required("sortBy")], operand)
        return .sort(try compile(fields[0] ?? .null, depth: depth), try ExpressionSort(fields[1] ?? .null))
    }

    private mutating func field(_ operand: Value, depth: Int) throws(QueryError) -> ExpressionNode {
        if case .document(let document) = operand, document.first?.key.utf8.first != 0x24 {
            return .call(try named(.getField, .getField, operand, depth: depth))
        }
        let name = try compile(operand, depth: depth)
        return .call(ExpressionCall(.getField, [name, try compile("$$CURRENT", depth: depth)]))
    }

    private mutating func search(_ name: String, _ operand: Value, depth: Int) throws(QueryError) -> ExpressionNode {
        let fields = try fields(name, [.required("input"), .required("regex"), .optional("options")], operand)
        let nodes = try compile(fields.map { $0 ?? .null }, depth: depth)
        var pattern: Pattern?
        if case .literal(.some(.string(let text))) = nodes[1] {
            switch nodes[2] {
            case .literal(.some(.string(let options))): pattern = try Pattern(text, options: options)
            case .literal(.some(.null)): pattern = try Pattern(text, options: "")
            default: break
            }
        }
        if pattern != nil { try countPattern() }
        return .search(
            ExpressionSearch(name: name, input: nodes[0], pattern: nodes[1], options: nodes[2], compiled: pattern))
    }

    /// An operator with `onError`, whose last argument is evaluated only when the conversion fails.
    private mutating func conversion(
        _ function: ExpressionFunction, _ parameters: [ExpressionFunction.Parameter], _ operand: Value, depth: Int
    ) throws(QueryError) -> ExpressionNode {
        let handled = parameters + [.optional("onError")]
        let fields = try fields(function.name, handled, operand)
        guard case .document(var document) = operand else { return .literal(nil) }
        document["onError"] = nil
        let call = try named(function, parameters, .document(document), depth: depth)
        guard let handler = fields[handled.count - 1] else { return .call(call) }
        return .attempt(call, handler: try compile(handler, depth: depth))
    }
}

extension [ExpressionFunction.Parameter] {
    static let getField: Self = [.required("field"), .required("input")]
    static let setField: Self = [.required("field"), .required("input"), .required("value")]
    static let unsetField: Self = [.required("field"), .required("input")]
    static let convert: Self = [.required("input"), .required("to"), .optional("onNull")]
    static let dateFromString: Self = [
        .required("dateString"), .optional("format"), .optional("timezone"), .optional("onNull")
    ]
}
