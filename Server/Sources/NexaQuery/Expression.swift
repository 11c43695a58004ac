public import NexaValue

/// An aggregation expression, compiled once and evaluated on documents.
///
/// The meaning is MongoDB's: `"$a.b"` reads a field (through the documents in arrays), `{$add: ["$a", 1]}` applies an
/// operator, other documents and arrays are built of the expressions in them, everything else stands for itself.
/// Whole numbers are 64 bits wide and become doubles where 64 bits do not suffice.
/// An expression may be used by many threads at once, each with a context of its own.
/// See https://www.mongodb.com/docs/manual/reference/operator/aggregation/.
public struct Expression: Sendable {
    /// How deep expressions may nest.
    public static let maximumDepth = 100
    /// How many operators, paths, arrays and documents an expression may have.
    public static let maximumNodes = 10_000
    /// How many literals an expression may have, as in a long list for `$in`.
    public static let maximumLiterals = 100_000
    /// How many regular expressions an expression may have; each takes tens of KiB compiled.
    public static let maximumPatterns = 100

    let node: ExpressionNode
    /// How many operators, paths, arrays and documents the expression has.
    let nodeCount: Int
    /// How many regular expressions were compiled for it.
    let patternCount: Int

    /// Compiles an expression.
    ///
    /// - Parameters:
    ///   - value: the expression, as it stands in a pipeline.
    ///   - variables: names, without `$$`, that the context of every evaluation will give a value.
    /// - Throws: `QueryError` for an unknown operator or variable, arguments that an operator does not take, or an
    ///   expression beyond the limits; the message names the operator.
    public init(compiling value: Value, variables: Set<String> = []) throws(QueryError) {
        var compiler = ExpressionCompiler(variables: variables)
        node = try compiler.compile(value, depth: 0)
        nodeCount = compiler.nodes
        patternCount = compiler.patterns
    }

    /// Refuses what `let` cannot give as a name to a variable.
    package static func checkVariableName(_ name: String, for operator: String) throws(QueryError) {
        _ = try ExpressionCompiler(variables: []).variableName(.string(name), for: `operator`)
    }

    /// The value for a document; `nil` when there is none: a missing field, or `$$REMOVE`.
    ///
    /// - Throws: `QueryError` when an operator cannot work with its arguments, or beyond the limits of the context.
    public func evaluate(_ document: Document, _ context: inout ExpressionContext) throws(QueryError) -> Value? {
        var evaluator = ExpressionEvaluator(document)
        context.begin()
        return try evaluator.evaluate(node, &context)
    }

    /// The same for an encoded document, of which only what the expression reads is decoded.
    ///
    /// The bytes should have passed `MessagePack.validate`; others are read safely, with any answer or an error.
    /// - Throws: `QueryError` as the other form does, and when the bytes are not a well-formed map.
    public func evaluate(
        encoded document: RawSpan, _ context: inout ExpressionContext
    ) throws(QueryError) -> Value? {
        var evaluator = ExpressionEvaluator(document)
        context.begin()
        return try evaluator.evaluate(node, &context)
    }

    /// Whether the value for an encoded document is true: neither missing, null, false nor zero.
    ///
    /// - Throws: `QueryError` as `evaluate(encoded:_:)` does.
    public func isTrue(encoded document: RawSpan, _ context: inout ExpressionContext) throws(QueryError) -> Bool {
        try evaluate(encoded: document, &context).isTrue
    }

    /// The dotted path when the expression is just `"$a.b"`, so that a caller can read it from encoded bytes.
    public var fieldPath: String? {
        guard case .path(let path) = node, !path.names.isEmpty else { return nil }
        return path.names.joined(separator: ".")
    }

    /// The value of an expression that needs no document, such as `5` or `{$literal: "$a"}`.
    public var constant: Value? {
        guard case .literal(let value) = node else { return nil }
        return value
    }
}
