public import NexaValue

/// A filter, compiled once and matched against encoded documents.
///
/// The meaning is MongoDB's: a condition on a field holds when the value, or an element of an array there, fulfils
/// it; a value of another kind than the operand never does; null also matches a missing field; a dotted path
/// goes through documents, through the documents in arrays, and by number into arrays.
/// Matching reads the MessagePack bytes in place: it decodes nothing, and allocates nothing except for `$regex` and
/// `$expr`.
/// A filter may be used by many threads at once.
public struct QueryFilter: Sendable {
    /// How large a filter may be.
    public struct Limits: Sendable, Hashable {
        /// How deep filters and the literals in them may nest.
        public var maximumDepth: Int
        /// How many conditions a filter may have.
        public var maximumConditions: Int
        /// How many values all `$in`, `$nin` and `$all` together may list.
        public var maximumListedValues: Int
        /// How many regular expressions a filter may have; each takes tens of KiB compiled.
        public var maximumPatterns: Int

        /// Creates limits; the defaults are 100 levels, 10 000 conditions, 100 000 listed values and 100 patterns.
        public init(
            maximumDepth: Int = 100, maximumConditions: Int = 10_000, maximumListedValues: Int = 100_000,
            maximumPatterns: Int = 100
        ) {
            self.maximumDepth = maximumDepth
            self.maximumConditions = maximumConditions
            self.maximumListedValues = maximumListedValues
            self.maximumPatterns = maximumPatterns
        }

        /// The limits of the server.
        public static let standard = Limits()
    }

    let program: Conjunction
    /// How many values all lists of the filter have.
    public let listedValues: Int
    /// Whether it has regular expressions or `$expr`: one document may take a second.
    public let isCostly: Bool
    /// What the filter says about `_id`; every document it matches fulfils this.
    public let idConstraint: IDConstraint

    /// Compiles a filter. An empty one matches every document.
    ///
    /// `$$NOW` in `$expr` is the moment of the compilation.
    /// - Parameters:
    ///   - filter: the conditions.
    ///   - limits: how large it may be.
    ///   - allowsExpressions: whether it may have `$expr`; not where its answers must stay the same, as in an index.
    /// - Throws: `QueryError` for an unknown operator, an operand of the wrong kind, a pattern that is none, or a
    ///   filter beyond the limits; the message names the operator.
    public init(compiling filter: Document, limits: Limits = .standard, allowsExpressions: Bool = true)
        throws(QueryError)
    {
        var compiler = FilterCompiler(limits: limits, allowsExpressions: allowsExpressions)
        program = try compiler.conjunction(filter, depth: 0)
        listedValues = compiler.listedValues
        isCostly = compiler.isCostly
        idConstraint = IDConstraint(requiredBy: filter)
    }

    /// A part of a filter that another compiler made.
    init(_ program: Conjunction) {
        self.program = program
        listedValues = 0
        isCostly = false
        idConstraint = .any
    }

    /// True when the filter has no condition, so that documents need not be read.
    public var matchesEverything: Bool { program.isEmpty }

    /// Whether an encoded document fulfils the filter.
    ///
    /// The bytes should have passed `MessagePack.validate`; others are read safely, with any answer or an error.
    /// - Throws: `QueryError` when a `$regex` or `$expr` takes too much work, when an operator of `$expr` cannot work with its
    ///   arguments, or when the bytes are not a well-formed map.
    public func matches(_ document: RawSpan) throws(QueryError) -> Bool {
        try Self.translating {
            var evaluation = Evaluation(document)
            return try evaluation.holds(program, at: 0)
        }
    }

    /// Runs an evaluation in the terms of a query.
    @inline(__always)
    static func translating<Result>(_ body: () throws -> Result) throws(QueryError) -> Result {
        do {
            return try body()
        } catch let error as QueryError {
            throw error
        } catch let error as MessagePackError {
            throw QueryError(corrupt: error)
        } catch {
            throw QueryError(.corruptDocument, "\(error)")
        }
    }
}
