import NexaValue

/// Evaluates the nodes of an expression on one document, which is decoded or encoded.
struct ExpressionEvaluator: ~Escapable {
    private let span: RawSpan
    /// The decoded document: given, or decoded when it was needed whole.
    private var document: Document?
    /// The variables in sight, the innermost last.
    private var bound: [Value?] = []

    @_lifetime(copy span)
    init(_ span: RawSpan) {
        self.span = span
        document = nil
    }

    @_lifetime(immortal)
    init(_ document: Document) {
        span = RawSpan()
        self.document = document
    }

    @_lifetime(self: copy self)
    mutating func evaluate(
        _ node: ExpressionNode, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        try context.spend()
        switch node {
        case .literal(let value): return value
        case .path(let path): return try read(path, &context)
        case .bound(let place, let path): return try Self.read(path, of: bound[place], &context)
        case .variable(let name, let path): return try Self.read(path, of: context.variables[name], &context)
        case .now: return .timestamp(context.now)
        case .call(let call): return try apply(call, &context)
        case .compare(let comparison, let left, let right):
            let left = try evaluate(left, &context)
            let right = try evaluate(right, &context)
            return comparison.result(try ExpressionComparison.order(left, right, &context))
        case .test(let comparison, let path, let operand, let value):
            if document == nil, let order = try order(path, operand) { return comparison.result(order) }
            return comparison.result(try ExpressionComparison.order(try read(path, &context), value, &context))
        case .all(let nodes):
            for node in nodes where try !evaluate(node, &context).isTrue { return .bool(false) }
            return .bool(true)
        case .any(let nodes):
            for node in nodes where try evaluate(node, &context).isTrue { return .bool(true) }
            return .bool(false)
        case .conditional(let condition, let value, let otherwise):
            return try evaluate(evaluate(condition, &context).isTrue ? value : otherwise, &context)
        case .firstNonNull(let nodes):
            for node in nodes.dropLast() {
                let value = try evaluate(node, &context)
                if !value.isNullish { return value }
            }
            return try evaluate(nodes[nodes.count - 1], &context)
        case .attempt, .array, .object, .branches, .bind, .map, .filter, .reduce, .sort, .search:
            return try evaluateLarge(node, &context)
        }
    }

    /// The rarer nodes, apart so that the stack frame of the others stays small.
    @_lifetime(self: copy self)
    private mutating func evaluateLarge(
        _ node: ExpressionNode, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        switch node {
        case .attempt(let call, let handler): return try attempt(call, handler, &context)
        case .array(let nodes): return try build(nodes, &context)
        case .object(let fields): return try build(fields, &context)
        case .branches(let branches, let otherwise):
            for branch in branches where try evaluate(branch.condition, &context).isTrue {
                return try evaluate(branch.value, &context)
            }
            guard let otherwise else {
                throw .expression(
                    "$switch could not find a matching branch for an input, and no default was specified")
            }
            return try evaluate(otherwise, &context)
        case .bind(let nodes, let body):
            let values = try evaluate(nodes, &context)
            bound += values
            let result = try evaluate(body, &context)
            bound.removeLast(values.count)
            return result
        case .map(let input, let body): return try map(input, body, &context)
        case .filter(let input, let condition, let limit): return try filter(input, condition, limit, &context)
        case .reduce(let input, let initial, let body): return try reduce(input, initial, body, &context)
        case .sort(let input, let order):
            return try order.sorted(try evaluate(input, &context), &context)
        case .search(let search):
            let input = try evaluate(search.input, &context)
            let pattern = try evaluate(search.pattern, &context)
            let options = try evaluate(search.options, &context)
            return try search.result(input, pattern, options, &context)
        default: return nil  // the others are evaluated above
        }
    }

    @_lifetime(self: copy self)
    private mutating func evaluate(
        _ nodes: [ExpressionNode], _ context: inout ExpressionContext
    ) throws(QueryError) -> [Value?] {
        var values: [Value?] = []
        values.reserveCapacity(nodes.count)
        for node in nodes { values.append(try evaluate(node, &context)) }
        return values
    }

    // MARK: Operators

    @_lifetime(self: copy self)
    private mutating func apply(
        _ call: ExpressionCall, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        let arguments = ExpressionArguments(
            name: call.function.name, values: try evaluate(call.arguments, &context), given: call.given)
        let result = try call.function.body(arguments, &context)
        if call.function.builds {
            switch result {
            case .some(.array), .some(.document), .some(.string): try context.charge(result)
            default: break
            }
        }
        return result
    }

    @_lifetime(self: copy self)
    private mutating func attempt(
        _ call: ExpressionCall, _ handler: ExpressionNode, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        let arguments = ExpressionArguments(
            name: call.function.name, values: try evaluate(call.arguments, &context), given: call.given)
        do throws(QueryError) {
            let result = try call.function.body(arguments, &context)
            try context.charge(result)
            return result
        } catch {
            guard error.code == .invalidOperand else { throw error }
            return try evaluate(handler, &context)
        }
    }

    // MARK: Building

    @_lifetime(self: copy self)
    private mutating func build(
        _ nodes: [ExpressionNode], _ context: inout ExpressionContext
    ) throws(QueryError) -> Value {
        var elements: [Value] = []
        elements.reserveCapacity(nodes.count)
        for node in nodes { elements.append(try evaluate(node, &context) ?? .null) }
        try context.charge(.array(elements))
        return .array(elements)
    }

    @_lifetime(self: copy self)
    private mutating func build(
        _ fields: [(name: String, value: ExpressionNode)], _ context: inout ExpressionContext
    ) throws(QueryError) -> Value {
        var document = Document()
        document.reserveCapacity(fields.count)
        for field in fields {
            if let value = try evaluate(field.value, &context) { document[field.name] = .some(value) }
        }
        try context.charge(.document(document))
        return .document(document)
    }

    // MARK: Iteration

    /// The elements that an operator goes through; `nil` when its input is missing or null.
    @_lifetime(self: copy self)
    private mutating func elements(
        of input: ExpressionNode, for name: String, _ context: inout ExpressionContext
    ) throws(QueryError) -> [Value]? {
        let value = try evaluate(input, &context)
        if value.isNullish { return nil }
        guard let elements = value.elements else {
            throw .expression("input to \(name) must be an array not \(value.typeName)")
        }
        return elements
    }

    @_lifetime(self: copy self)
    private mutating func map(
        _ input: ExpressionNode, _ body: ExpressionNode, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value {
        guard let elements = try elements(of: input, for: "$map", &context) else { return .null }
        try context.reserve(elements: elements.count)
        var results: [Value] = []
        results.reserveCapacity(elements.count)
        for element in elements {
            bound.append(element)
            let result = try evaluate(body, &context) ?? .null
            bound.removeLast()
            results.append(result)
        }
        // What the elements share with others counts too; nothing is taken for it before.
        try context.charge(.array(results))
        return .array(results)
    }

    @_lifetime(self: copy self)
    private mutating func filter(
        _ input: ExpressionNode, _ condition: ExpressionNode, _ limit: ExpressionNode?,
        _ context: inout ExpressionContext
    ) throws(QueryError) -> Value {
        guard let elements = try elements(of: input, for: "$filter", &context) else { return .null }
        var remaining = Int64.max
        if let limit, let value = try evaluate(limit, &context), !value.isNull {
            guard let count = value.int, count > 0, count <= Int64(Int32.max) else {
                throw .expression("$filter: limit must be represented as a 32-bit integral value greater than 0")
            }
            remaining = count
        }
        var results: [Value] = []
        for element in elements where remaining > 0 {
            bound.append(element)
            let holds = try evaluate(condition, &context).isTrue
            bound.removeLast()
            guard holds else { continue }
            try context.charge(element)
            results.append(element)
            remaining -= 1
        }
        try context.reserve(elements: results.count)
        return .array(results)
    }

    @_lifetime(self: copy self)
    private mutating func reduce(
        _ input: ExpressionNode, _ initial: ExpressionNode, _ body: ExpressionNode,
        _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        guard let elements = try elements(of: input, for: "$reduce", &context) else { return .null }
        var value = try evaluate(initial, &context)
        for element in elements {
            bound.append(value)
            value = nil
            bound.append(element)
            value = try evaluate(body, &context)
            bound.removeLast(2)
        }
        return value
    }

    // MARK: Paths

    /// Reads a path of the document.
    @_lifetime(self: copy self)
    private mutating func read(
        _ path: ExpressionPath, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        if let document {
            return try Self.read(path, of: .document(document), &context)
        }
        do throws(MessagePackError) {
            if path.parts.isEmpty {
                var reader = MessagePackReader(span)
                let document = try reader.readDocument()
                self.document = document
                return .document(document)
            }
            return try read(path.parts, 0, at: 0)
        } catch {
            throw QueryError(corrupt: error)
        }
    }

    /// Reads a path, from one of its parts on, from the value at an offset of the encoded document.
    private func read(
        _ parts: [FieldPath.Part], _ first: Int, at offset: Int
    ) throws(MessagePackError) -> Value? {
        var offset = offset
        for place in first..<parts.count {
            var reader = MessagePackReader(span, at: offset)
            switch try reader.readHead() {
            case .map(let count):
                guard let value = try span.value(of: parts[place], at: reader.position, count: count) else {
                    return nil
                }
                offset = value
            case .array(let count):
                var results: [Value] = []
                for _ in 0..<count {
                    var element = reader
                    if case .map(let count) = try element.readHead(),
                        let value = try span.value(of: parts[place], at: element.position, count: count),
                        let result = try read(parts, place + 1, at: value)
                    {
                        results.append(result)
                    }
                    try reader.skip()
                }
                return .array(results)
            default: return nil
            }
        }
        var reader = MessagePackReader(span, at: offset)
        return try reader.readValue()
    }

    /// How the value at a path of the encoded document compares with a literal; `nil` when an array is on the way.
    private func order(_ path: ExpressionPath, _ operand: Operand) throws(QueryError) -> Int? {
        try QueryFilter.translating {
            var offset = 0
            for part in path.parts {
                var reader = MessagePackReader(span, at: offset)
                switch try reader.readHead() {
                case .map(let count):
                    guard let value = try span.value(of: part, at: reader.position, count: count) else { return -1 }
                    offset = value
                case .array: return nil
                default: return -1
                }
            }
            var reader = MessagePackReader(span, at: offset)
            let head = try reader.readHead()
            if let order = try operand.order(head, span, at: offset, body: reader.position) { return order }
            return Int(head.bracket.rawValue) - Int(operand.bracket.rawValue)
        }
    }

    /// Reads a path from a decoded value.
    private static func read(
        _ path: ExpressionPath, of value: Value?, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        path.names.isEmpty ? value : try read(path.names[...], of: value, &context)
    }

    /// An array stands for what the path leads to in each of the documents in it; other elements have nothing there.
    private static func read(
        _ names: ArraySlice<String>, of value: Value?, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        var names = names
        var value = value
        while let name = names.popFirst() {
            switch value {
            case .some(.document(let document)): value = document[name]
            case .some(.array(let elements)):
                try context.reserve(elements: elements.count)
                try context.spend(elements.count)
                var results: [Value] = []
                for case .document(let document) in elements {
                    if let result = try read(names, of: document[name], &context) { results.append(result) }
                }
                return .array(results)
            default: return nil
            }
        }
        return value
    }
}
