import NexaValue

/// Why a filter, a sort order or a projection is not acceptable, or why it could not be applied.
public struct QueryError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kinds of fault.
    public enum Code: String, Sendable, Hashable {
        /// The query names an operator that does not exist, or that does not belong there.
        case unknownOperator
        /// An operator has an operand that it cannot work with.
        case invalidOperand
        /// A field name or path cannot be queried.
        case invalidPath
        /// A pattern is not a regular expression.
        case invalidPattern
        /// The query is larger than the limits allow, or takes more work than they allow.
        case limitExceeded
        /// An update does not fit a document, such as an increment of a text.
        case notApplicable
        /// A stored document is not well-formed MessagePack.
        case corruptDocument
    }

    /// What kind of fault it is.
    public var code: Code
    /// What is wrong and, where that helps, what to write instead.
    public var message: String

    /// Creates an error.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    init(corrupt error: MessagePackError) {
        self.init(.corruptDocument, "a stored document is damaged: \(error)")
    }

    /// The message.
    public var description: String { message }
}

extension QueryError {
    /// The error for a name that begins with `$` and is not among those known in its place.
    static func unknownOperator(_ name: String, known: [String]) -> QueryError {
        guard let near = nearest(to: name, in: known) else {
            return QueryError(.unknownOperator, "unknown operator \(name); known here: \(known.joined(separator: " "))")
        }
        return QueryError(.unknownOperator, "unknown operator \(name); did you mean \(near)?")
    }

    /// The error for a stage or an accumulator that does not exist.
    package static func unknownStage(_ name: String, known: [String]) -> QueryError {
        unknownOperator(name, known: known)
    }

    static func operand(_ name: String, needs what: String, found value: Value) -> QueryError {
        QueryError(.invalidOperand, "\(name) needs \(what), found \(value.kindName)")
    }

    static func limit(_ what: String) -> QueryError { QueryError(.limitExceeded, what) }

    /// The known name that takes the fewest edits, if at most a third of its characters differ.
    private static func nearest(to name: String, in known: [String]) -> String? {
        guard name.utf8.count <= 32 else { return nil }
        let ranked = known.map {
            (name: $0, distance: editDistance(Array(name.lowercased().utf8), Array($0.lowercased().utf8)))
        }
        guard let best = ranked.min(by: { $0.distance < $1.distance }) else { return nil }
        return best.distance <= max(1, best.name.utf8.count / 3) ? best.name : nil
    }

    /// The number of insertions, deletions, replacements and swaps of neighbours between two words
    /// (optimal string alignment): https://en.wikipedia.org/wiki/Damerau–Levenshtein_distance.
    private static func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var beforeLast: [Int] = []
        var last = Array(0...right.count)
        for row in left.indices {
            var current = [row + 1]
            for column in right.indices {
                var distance = min(
                    last[column + 1] + 1, current[column] + 1, last[column] + (left[row] == right[column] ? 0 : 1))
                if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                    distance = min(distance, beforeLast[column - 1] + 1)
                }
                current.append(distance)
            }
            beforeLast = last
            last = current
        }
        return last[right.count]
    }
}
