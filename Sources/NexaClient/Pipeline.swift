public import NexaValue

/// One stage of an aggregation pipeline.
///
/// The most common ones have builders; `raw` takes any other in MongoDB's language.
public struct Stage: Sendable, Hashable {
    /// The stage as it is sent: a document with one field.
    public let document: Document

    private init(_ name: String, _ operand: Value) { document = Document([(name, operand)]) }

    /// A stage as it is written in MongoDB's language, such as `["$sample": ["size": 3]]`.
    public static func raw(_ document: Document) -> Stage { Stage(document) }

    private init(_ document: Document) { self.document = document }

    /// Only the documents that a filter means. At the front of a pipeline it uses indexes.
    public static func match(_ filter: Filter) -> Stage { Stage("$match", .document(filter.document)) }

    /// One document for each value of a field, with accumulators under their names; all documents together for `nil`.
    ///
    /// The value is the `_id` of the result. The path is that of a field, without `$`.
    public static func group(by path: String?, _ accumulators: KeyValuePairs<String, Accumulator>) -> Stage {
        group(by: path.map { .field($0) } ?? .value(.null), accumulators)
    }

    /// One document for each value of an expression.
    public static func group(by key: Expr, _ accumulators: KeyValuePairs<String, Accumulator>) -> Stage {
        var operand: Document = ["_id": key.value]
        for (name, accumulator) in accumulators { operand[name] = .some(.document(accumulator.document)) }
        return Stage("$group", .document(operand))
    }

    /// Orders the documents.
    public static func sort(_ keys: Sort...) -> Stage {
        Stage("$sort", .document(Document(keys.map { ($0.path, .int(Int64($0.direction.rawValue))) })))
    }

    /// At most so many documents.
    public static func limit(_ count: Int) -> Stage { Stage("$limit", .int(Int64(count))) }

    /// Passes over so many documents.
    public static func skip(_ count: Int) -> Stage { Stage("$skip", .int(Int64(count))) }

    /// Only these fields, and `_id`.
    public static func project(_ paths: String...) -> Stage {
        Stage("$project", .document(Document(paths.map { ($0, 1) })))
    }

    /// Adds fields with the values of expressions, or replaces them.
    public static func set(_ fields: KeyValuePairs<String, Expr>) -> Stage {
        Stage("$set", .document(Document(fields.map { ($0.key, $0.value.value) })))
    }

    /// Without these fields.
    public static func unset(_ paths: String...) -> Stage { Stage("$unset", .array(paths.map { .string($0) })) }

    /// One document for each element of an array, which takes its place.
    ///
    /// - Parameters:
    ///   - path: the path of the array, without `$`.
    ///   - keepingEmpty: documents whose array is empty or missing stay, once.
    public static func unwind(_ path: String, keepingEmpty: Bool = false) -> Stage {
        Stage(
            "$unwind",
            keepingEmpty
                ? ["path": .string("$" + path), "preserveNullAndEmptyArrays": true] : .string("$" + path))
    }

    /// One document with the number of documents.
    public static func count(as field: String = "count") -> Stage { Stage("$count", .string(field)) }

    /// Adds the documents of another collection of the database whose `foreign` field equals the `local` one.
    public static func lookup(from collection: String, local: String, foreign: String, as field: String) -> Stage {
        Stage(
            "$lookup",
            [
                "from": .string(collection), "localField": .string(local), "foreignField": .string(foreign),
                "as": .string(field)
            ])
    }

    /// So many documents, each equally likely.
    public static func sample(_ count: Int) -> Stage { Stage("$sample", ["size": .int(Int64(count))]) }

    /// Writes the documents into a collection of the database by their `_id`; the last stage. Nothing is returned.
    ///
    /// - Parameters:
    ///   - collection: the name of the collection.
    ///   - replacing: a document that is there is replaced; otherwise its fields are merged.
    public static func merge(into collection: String, replacing: Bool = false) -> Stage {
        Stage("$merge", ["into": .string(collection), "whenMatched": replacing ? "replace" : "merge"])
    }

    /// Puts the documents in the place of all that a collection of the database has; the last stage. Nothing is returned.
    ///
    /// It is one commit: others see the old documents or the new ones, and an error leaves the old ones. Old and new ones
    /// together are at most 100 000 documents and 64 MiB; not in a transaction. Indexes stay.
    public static func out(to collection: String) -> Stage { Stage("$out", .string(collection)) }
}

/// An expression over the fields of a document, in MongoDB's language.
public struct Expr: Sendable, Hashable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByDictionaryLiteral
{
    /// The expression as it is sent.
    public let value: Value

    private init(_ value: Value) { self.value = value }

    /// The value of a field, by its path without `$`.
    public static func field(_ path: String) -> Expr { Expr(.string("$" + path)) }

    /// A value that stands for itself, whatever it looks like.
    public static func value(_ value: Value) -> Expr {
        switch value {
        case .string, .document, .array: Expr(["$literal": value])
        default: Expr(value)
        }
    }

    /// An expression as it is written: `["$multiply": ["$price", 2]]`.
    public static func raw(_ value: Value) -> Expr { Expr(value) }

    /// An expression as it is written: `"$price"` is a field.
    public init(stringLiteral value: String) { self.init(.string(value)) }
    /// A number.
    public init(integerLiteral value: Int64) { self.init(.int(value)) }
    /// A number.
    public init(floatLiteral value: Double) { self.init(.double(value)) }
    /// An operator with its arguments, or a document of expressions.
    public init(dictionaryLiteral elements: (String, Value)...) { self.init(.document(Document(elements))) }
}

/// What `Stage.group` makes of the documents of a group.
public struct Accumulator: Sendable, Hashable {
    /// The accumulator as it is sent.
    public let document: Document

    private init(_ name: String, _ operand: Value) { document = Document([(name, operand)]) }

    /// The number of documents.
    public static let count = Accumulator("$sum", 1)
    /// The sum of a field.
    public static func sum(_ path: String) -> Accumulator { Accumulator("$sum", .string("$" + path)) }
    /// The sum of an expression.
    public static func sum(_ expression: Expr) -> Accumulator { Accumulator("$sum", expression.value) }
    /// The average of a field; null when no document has a number there.
    public static func average(_ path: String) -> Accumulator { Accumulator("$avg", .string("$" + path)) }
    /// The smallest value of a field.
    public static func min(_ path: String) -> Accumulator { Accumulator("$min", .string("$" + path)) }
    /// The largest value of a field.
    public static func max(_ path: String) -> Accumulator { Accumulator("$max", .string("$" + path)) }
    /// The value of the first document.
    public static func first(_ path: String) -> Accumulator { Accumulator("$first", .string("$" + path)) }
    /// The value of the last document.
    public static func last(_ path: String) -> Accumulator { Accumulator("$last", .string("$" + path)) }
    /// All values, in an array.
    public static func push(_ path: String) -> Accumulator { Accumulator("$push", .string("$" + path)) }
    /// All different values, in an array.
    public static func addToSet(_ path: String) -> Accumulator { Accumulator("$addToSet", .string("$" + path)) }
    /// An accumulator as it is written in MongoDB's language, such as `["$stdDevPop": "$price"]`.
    public static func raw(_ document: Document) -> Accumulator { Accumulator(document) }

    private init(_ document: Document) { self.document = document }
}

/// Collects the stages of a pipeline, one per line, with `if` and `for` where needed.
@resultBuilder public enum PipelineBuilder {
    /// One stage.
    public static func buildExpression(_ stage: Stage) -> [Stage] { [stage] }
    /// Stages in their order.
    public static func buildBlock(_ stages: [Stage]...) -> [Stage] { stages.flatMap { $0 } }
    /// Stages, if there are any.
    public static func buildOptional(_ stages: [Stage]?) -> [Stage] { stages ?? [] }
    /// One of two.
    public static func buildEither(first stages: [Stage]) -> [Stage] { stages }
    /// One of two.
    public static func buildEither(second stages: [Stage]) -> [Stage] { stages }
    /// Stages of a loop.
    public static func buildArray(_ stages: [[Stage]]) -> [Stage] { stages.flatMap { $0 } }
}
