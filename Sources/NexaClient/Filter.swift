public import NexaValue

/// A name of a field and the type of its values: the left side of comparisons.
public struct Field<T: Sendable>: Sendable {
    /// The dotted path, such as `address.city`.
    public let path: String

    /// How values that are compared with it are stored; that of the collection, when it is not the standard.
    public let coding: ModelCoding

    /// Names a field by its dotted path.
    public init(_ path: String, as type: T.Type = T.self, coding: ModelCoding = .standard) {
        self.path = path
        self.coding = coding
    }

    /// Names a field by a coding key.
    public init(_ key: some CodingKey, as type: T.Type = T.self, coding: ModelCoding = .standard) {
        self.init(key.stringValue, coding: coding)
    }
}

/// Which documents are meant, in MongoDB's language.
///
/// Write it as a literal, `["age": ["$gte": 18]]`, or with fields, `User.Fields.age >= 18`.
public struct Filter: Sendable, Hashable, ExpressibleByDictionaryLiteral {
    /// The filter as it is sent.
    public let document: Document

    /// Takes a filter as it is.
    public init(_ document: Document) { self.document = document }

    /// Takes a literal as it is.
    public init(dictionaryLiteral elements: (String, Value)...) { document = Document(elements) }

    /// Every document.
    public static let all = Filter([:])

    /// Documents that satisfy both. Conditions on different fields merge into one document, which every
    /// server understands; others become an `$and`.
    public static func && (left: Filter, right: Filter) -> Filter {
        var merged = left.document
        for (key, condition) in right.document {
            guard let existing = merged[key] else {
                merged[key] = .some(condition)
                continue
            }
            guard let both = mergedOperators(existing, condition) else {
                return Filter(["$and": [.document(left.document), .document(right.document)]])
            }
            merged[key] = .some(.document(both))
        }
        return Filter(merged)
    }

    /// Documents that satisfy at least one.
    public static func || (left: Filter, right: Filter) -> Filter {
        Filter(["$or": .array(left.alternatives + right.alternatives)])
    }

    /// Documents that do not satisfy it.
    public static prefix func ! (filter: Filter) -> Filter {
        Filter(["$nor": [.document(filter.document)]])
    }

    /// `a || b || c` is one `$or` of three, not nested ones.
    private var alternatives: [Value] {
        if document.count == 1, let list = document["$or"]?.array { return list }
        return [.document(document)]
    }

    /// Two conditions on one field as one, when both are operators and no operator is in both.
    private static func mergedOperators(_ left: Value, _ right: Value) -> Document? {
        guard var operators = left.document, let more = right.document, !operators.isEmpty, !more.isEmpty else {
            return nil
        }
        for key in operators.keys + more.keys where !key.hasPrefix("$") { return nil }
        for (key, operand) in more {
            guard operators[key] == nil else { return nil }
            operators[key] = .some(operand)
        }
        return operators
    }

    /// True when the filter uses a logical operator, which original servers answer wrongly.
    var usesLogic: Bool { Self.usesLogic(document) }

    private static let originalOperators: Set<String> = [
        "$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$regex", "$exists"
    ]

    private static func usesLogic(_ document: Document) -> Bool {
        document.contains { key, condition in
            if key.hasPrefix("$") { return true }
            guard let operators = condition.document else { return false }
            // A sub-document as a literal is one of the things that original servers answer wrongly.
            return operators.isEmpty || operators.keys.contains { !originalOperators.contains($0) }
        }
    }
}

extension Field {
    /// The field is there, even if it is null.
    public var exists: Filter { [path: ["$exists": true]] }
    /// From the least to the greatest.
    public var ascending: Sort { Sort(path, .ascending) }
    /// From the greatest to the least.
    public var descending: Sort { Sort(path, .descending) }
}

extension Field where T == String {
    /// The text contains a match of a Perl-compatible regular expression.
    public func matches(regex: String) -> Filter { [path: ["$regex": .string(regex)]] }
}

/// One key of an order of documents.
public struct Sort: Sendable, Hashable {
    /// Which way.
    public enum Direction: Int, Sendable, Hashable {
        case ascending = 1
        case descending = -1
    }

    /// The dotted path of the field.
    public let path: String
    /// Which way.
    public let direction: Direction

    /// Orders by a field.
    public init(_ path: String, _ direction: Direction = .ascending) {
        self.path = path
        self.direction = direction
    }
}
