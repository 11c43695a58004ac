import NexaValue

/// Turns an expression into nodes, and refuses what has no meaning.
struct ExpressionCompiler {
    /// Variables of the context.
    private let variables: Set<String>
    /// Variables that the expression binds around the current place, the innermost last.
    var scope: [String] = []
    private var literals = 0
    private(set) var nodes = 0
    private(set) var patterns = 0

    init(variables: Set<String>) { self.variables = variables }

    /// Operators that do not evaluate all of their arguments first, or take other things than expressions.
    static let specialOperators = [
        "$and", "$or", "$cond", "$ifNull", "$switch", "$let", "$literal", "$const", "$map", "$filter", "$reduce",
        "$sortArray", "$getField", "$setField", "$unsetField", "$regexMatch", "$regexFind", "$regexFindAll",
        "$convert", "$dateFromString", "$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$cmp"
    ]

    /// All operators, for suggestions.
    static let operators = (specialOperators + ExpressionFunction.known.keys).sorted()

    mutating func compile(_ value: Value, depth: Int) throws(QueryError) -> ExpressionNode {
        guard depth < Expression.maximumDepth else {
            throw .limit("the expression nests deeper than \(Expression.maximumDepth) levels")
        }
        switch value {
        case .string(let text) where text.utf8.first == 0x24:
            try countNode()
            return try path(text)
        case .array(let elements):
            try countNode()
            let nodes = try compile(elements, depth: depth + 1)
            var values: [Value] = []
            for case .literal(let value) in nodes { values.append(value ?? .null) }
            return values.count == nodes.count ? .literal(.array(values)) : .array(nodes)
        case .document(let document):
            try countNode()
            guard let (name, operand) = document.first, name.utf8.first == 0x24 else {
                return try object(document, depth: depth + 1)
            }
            guard document.count == 1 else {
                throw .expression(
                    "an expression must have exactly one field, the name of an operator; \(name) stands beside"
                        + " \"\(document[1].key)\"")
            }
            return try call(name, operand, depth: depth + 1)
        default:
            literals += 1
            guard literals <= Expression.maximumLiterals else {
                throw .limit("the expression has more than \(Expression.maximumLiterals) literals")
            }
            return .literal(value)
        }
    }

    private mutating func countNode() throws(QueryError) {
        nodes += 1
        guard nodes <= Expression.maximumNodes else {
            throw .limit("the expression has more than \(Expression.maximumNodes) operators and paths")
        }
    }

    mutating func compile(_ values: [Value], depth: Int) throws(QueryError) -> [ExpressionNode] {
        var nodes: [ExpressionNode] = []
        nodes.reserveCapacity(values.count)
        for value in values { nodes.append(try compile(value, depth: depth)) }
        return nodes
    }

    private mutating func object(_ document: Document, depth: Int) throws(QueryError) -> ExpressionNode {
        var fields: [(name: String, value: ExpressionNode)] = []
        var literals = Document()
        for (name, value) in document {
            guard name.utf8.first != 0x24, !name.utf8.contains(0x2E) else {
                throw QueryError(
                    .invalidPath,
                    "the field \"\(name)\" of a document that an expression builds has a . or begins with"
                        + " $; $setField makes such fields")
            }
            let node = try compile(value, depth: depth)
            if case .literal(.some(let value)) = node { literals[name] = .some(value) }
            fields.append((name, node))
        }
        return literals.count == fields.count ? .literal(.document(literals)) : .object(fields)
    }

    mutating func countPattern() throws(QueryError) {
        patterns += 1
        guard patterns <= Expression.maximumPatterns else {
            throw .limit("the expression has more than \(Expression.maximumPatterns) regular expressions")
        }
    }

    // MARK: Paths and variables

    private func path(_ text: String) throws(QueryError) -> ExpressionNode {
        let name = text.dropFirst()
        guard name.utf8.first == 0x24 else {
            guard !name.isEmpty else {
                throw QueryError(.invalidPath, "\"$\" by itself is no path; {$literal: \"$\"} is the text")
            }
            return current(try ExpressionPath(name))
        }
        let reference = name.dropFirst()
        let dot = reference.firstIndex(of: ".") ?? reference.endIndex
        let variable = String(reference[..<dot])
        let rest = dot == reference.endIndex ? .whole : try ExpressionPath(reference[reference.index(after: dot)...])
        if let place = scope.lastIndex(of: variable) { return .bound(place, rest) }
        switch variable {
        case "ROOT": return .path(rest)
        case "CURRENT": return current(rest)
        case "REMOVE": return .literal(nil)
        case "NOW":
            guard rest.names.isEmpty else { return .literal(nil) }
            return .now
        default:
            guard variables.contains(variable) else {
                let known = (["ROOT", "CURRENT", "NOW", "REMOVE"] + variables + scope).map { "$$\($0)" }.sorted()
                throw QueryError(
                    .invalidPath,
                    "use of undefined variable: \(variable); defined here: \(known.joined(separator: " "))")
            }
            return .variable(variable, rest)
        }
    }

    /// A path into `$$CURRENT`, which is the document unless `$let` says otherwise.
    private func current(_ path: ExpressionPath) -> ExpressionNode {
        if let place = scope.lastIndex(of: "CURRENT") { return .bound(place, path) }
        return .path(path)
    }

    /// Checks the name of a variable to be bound.
    func variableName(_ value: Value, for name: String) throws(QueryError) -> String {
        guard case .string(let text) = value else {
            throw .operand(name, needs: "the name of a variable as a string", found: value)
        }
        let isWord = text.utf8.allSatisfy {
            ($0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x7A) || ($0 >= 0x30 && $0 <= 0x39) || $0 == 0x5F || $0 >= 0x80
        }
        guard let first = text.utf8.first, isWord,
            (first >= 0x61 && first <= 0x7A) || first >= 0x80 || text == "CURRENT"
        else {
            throw .expression("\(name): \"\(text)\" cannot name a variable; it needs a lower-case letter, then letters")
        }
        return text
    }

    // MARK: Operators

    private mutating func call(_ name: String, _ operand: Value, depth: Int) throws(QueryError) -> ExpressionNode {
        if let node = try special(name, operand, depth: depth) { return node }
        guard let function = ExpressionFunction.known[name] else {
            throw .unknownExpression(name)
        }
        switch function.shape {
        case .positional(let minimum, let maximum):
            let arguments = try positional(name, operand, minimum, maximum, depth: depth)
            // What is not given must count as not given, not as missing.
            let given = arguments.count >= 32 ? UInt32.max : (1 << UInt32(arguments.count)) - 1
            return .call(ExpressionCall(function, arguments, given: given))
        case .named(let parameters):
            return .call(try named(function, parameters, operand, depth: depth))
        case .date:
            let parameters: [ExpressionFunction.Parameter] = [.required("date"), .optional("timezone")]
            if case .document(let document) = operand, document.first?.key.utf8.first != 0x24 {
                return .call(try named(function, parameters, operand, depth: depth))
            }
            let arguments = try positional(name, operand, 1, 1, depth: depth)
            return .call(ExpressionCall(function, arguments + [.literal(nil)], given: 1))
        }
    }

    /// The arguments in an array, or the only one.
    mutating func positional(
        _ name: String, _ operand: Value, _ minimum: Int, _ maximum: Int, depth: Int
    ) throws(QueryError) -> [ExpressionNode] {
        let values: [Value] = if case .array(let values) = operand { values } else { [operand] }
        guard values.count >= minimum, values.count <= maximum else {
            if minimum == maximum {
                throw .expression(
                    "Expression \(name) takes exactly \(minimum) arguments. \(values.count) were passed in.")
            }
            let bounds =
                maximum == .max
                ? "at least \(minimum) arguments" : "at least \(minimum) arguments, and at most \(maximum)"
            throw .expression("Expression \(name) takes \(bounds), but \(values.count) were passed in.")
        }
        return try compile(values, depth: depth)
    }

    /// The arguments in a document, in the order of the parameters.
    mutating func named(
        _ function: ExpressionFunction, _ parameters: [ExpressionFunction.Parameter], _ operand: Value, depth: Int
    ) throws(QueryError) -> ExpressionCall {
        let fields = try fields(function.name, parameters, operand)
        var arguments: [ExpressionNode] = []
        var given: UInt32 = 0
        for (index, value) in fields.enumerated() {
            if value != nil { given |= 1 << UInt32(index) }
            arguments.append(
                try value.map { value throws(QueryError) in try compile(value, depth: depth) } ?? .literal(nil))
        }
        return ExpressionCall(function, arguments, given: given)
    }

    /// The fields of an operand by parameter; none may be unknown, none that is required may lack.
    func fields(
        _ name: String, _ parameters: [ExpressionFunction.Parameter], _ operand: Value
    ) throws(QueryError) -> [Value?] {
        let names = parameters.map(\.name)
        guard case .document(let document) = operand else {
            throw .operand(name, needs: "a document with \(names.joined(separator: ", "))", found: operand)
        }
        for (field, _) in document where !names.contains(field) {
            throw .expression("\(name) has no argument \"\(field)\"; it takes \(names.joined(separator: ", "))")
        }
        for parameter in parameters where parameter.isRequired && document[parameter.name] == nil {
            throw .expression("Missing '\(parameter.name)' parameter to \(name)")
        }
        return names.map { document[$0] }
    }
}

extension QueryError {
    static func unknownExpression(_ name: String) -> QueryError {
        var error = unknownOperator(name, known: ExpressionCompiler.operators)
        if !error.message.contains("did you mean") { error.message = "unknown operator \(name) in an expression" }
        return error
    }
}
