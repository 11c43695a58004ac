public import NexaValue

/// What is done to documents so that lists of them become tables: real ones lack fields, nest and hold lists.
///
/// Each of these changes what the text says: a text that is to be imported again is made without.
public struct TOONShape: Sendable, Hashable {
    /// Fields of nested documents become fields of the document, by their dotted paths: `address.city`. A document in
    /// which such a path is the name of another field, or which is empty, stays as it is.
    public var flattensDocuments: Bool
    /// Lists of plain values become one text, joined by this; `nil` keeps them lists.
    public var listSeparator: String?
    /// Fields that a document lacks and others have become null.
    public var fillsMissingFields: Bool
    /// Vectors, and lists of numbers with more elements than this, are left out; `nil` keeps them.
    public var maximumVectorLength: Int?

    /// Lists of more numbers than this are taken for embeddings.
    public static let defaultVectorLength = 32

    /// Creates a shape; without arguments it changes nothing.
    public init(
        flattensDocuments: Bool = false, listSeparator: String? = nil, fillsMissingFields: Bool = false,
        maximumVectorLength: Int? = nil
    ) {
        self.flattensDocuments = flattensDocuments
        self.listSeparator = listSeparator
        self.fillsMissingFields = fillsMissingFields
        self.maximumVectorLength = maximumVectorLength
    }

    /// Documents as they are.
    public static let unchanged = TOONShape()
    /// What gives the fewest tokens: one table where there can be one, without embeddings.
    public static let prompt = TOONShape(
        flattensDocuments: true, listSeparator: "; ", fillsMissingFields: true,
        maximumVectorLength: defaultVectorLength)
}

/// What a shape did to documents, by the paths of fields in the order in which they were met.
public struct TOONShapeReport: Sendable, Hashable {
    /// Nested documents that became fields.
    public var flattened: [String] = []
    /// Lists that became texts.
    public var joined: [String] = []
    /// Vectors and long lists of numbers that were left out.
    public var omitted: [String] = []
    /// How many nulls stand for fields that a document lacked.
    public var filledCount = 0
    /// Whether the documents are a table.
    public var isTable = false

    /// Creates the report of having done nothing.
    public init() {}
}

/// Prepares a list of documents: looks at each of them once, then changes each of them as it is written.
///
/// Two passes, so that nobody has to hold all documents as values: `survey` every document, then `apply` to every
/// document in the same order, with `columns` for the header.
public struct TOONShaper: Sendable {
    /// What has been done so far.
    public private(set) var report = TOONShapeReport()
    /// How many documents were surveyed.
    public private(set) var count = 0
    private let shape: TOONShape
    private var fields: [Field] = []
    private var positions: [[UInt8]: Int] = [:]
    private var known = Set<String>()
    private var isKnownNotToBeTable = false
    /// Whether there are columns; known from the first `apply` on.
    private var isTable: Bool?

    /// More fields than this are no table that anybody would read.
    public static let maximumColumnCount = 4096

    /// One field of the documents.
    private struct Field: Sendable {
        var key: String
        var count = 0
        /// The columns of the documents under it; `nil` when its values are plain.
        var group: TOONColumns?
    }

    /// Creates a shaper for one list.
    public init(_ shape: TOONShape = .unchanged) { self.shape = shape }

    /// The first pass.
    public mutating func survey(_ document: Document) {
        count += 1
        guard !isKnownNotToBeTable else {
            if shape.changesDocuments { _ = changed(document) }
            return
        }
        let document = shape.changesDocuments ? changed(document) : document
        if document.isEmpty, !shape.fillsMissingFields { isKnownNotToBeTable = true }
        for index in document.indices {
            let (key, value) = document[index]
            note(key, value, near: index)
            if isKnownNotToBeTable { return }
        }
    }

    private mutating func note(_ key: String, _ value: Value, near position: Int) {
        let place: Int
        if position < fields.count, fields[position].key.isSame(key) {
            place = position
        } else if let found = positions[Array(key.utf8)] {
            place = found
        } else {
            guard fields.count < Self.maximumColumnCount, count == 1 || shape.fillsMissingFields else {
                return isKnownNotToBeTable = true
            }
            place = fields.count
            var field = Field(key: key)
            if !value.isScalar {
                guard let inner = value.documentForm, let columns = TOONColumns(of: inner) else {
                    return isKnownNotToBeTable = true
                }
                field.group = columns
            }
            positions[Array(key.utf8)] = place
            fields.append(field)
        }
        fields[place].count += 1
        if let group = fields[place].group {
            guard let inner = value.documentForm, group.fits(inner) else { return isKnownNotToBeTable = true }
        } else if !value.isScalar {
            isKnownNotToBeTable = true
        }
    }

    /// After the first pass: the columns of the table, or `nil` when the documents are none.
    public var columns: TOONColumns? {
        guard count > 0, !isKnownNotToBeTable, !fields.isEmpty else { return nil }
        let isComplete = fields.allSatisfy {
            $0.count == count || (shape.fillsMissingFields && $0.group == nil)
        }
        guard isComplete else { return nil }
        return TOONColumns(groups: fields.map { TOONColumns.Column($0.key, group: $0.group?.columns) })
    }

    /// The second pass: the document as it is written.
    public mutating func apply(_ document: Document) -> Document {
        var result = shape.changesDocuments ? changed(document) : document
        guard shape.fillsMissingFields, !isKnownNotToBeTable, result.count < fields.count else { return result }
        let isTable = self.isTable ?? (columns != nil)
        self.isTable = isTable
        guard isTable else { return result }
        for field in fields where result.position(of: field.key) == nil {
            result[field.key] = .some(.null)
            report.filledCount += 1
        }
        return result
    }

    /// Notes in the report that the documents became a table, or not.
    public mutating func finish(isTable: Bool) { report.isTable = isTable }

    // MARK: One document

    private mutating func changed(_ document: Document) -> Document {
        var result = Document()
        result.reserveCapacity(document.count)
        let names = document
        for (key, value) in document { add(key, value, path: key, to: &result, beside: names, depth: 0) }
        return result
    }

    private mutating func add(
        _ key: String, _ value: Value, path: String, to result: inout Document, beside names: Document, depth: Int
    ) {
        switch value {
        case .vector where shape.maximumVectorLength != nil: remember(path, \.omitted)
        case .array(let values) where isVector(values): remember(path, \.omitted)
        case .vector(let components):
            guard let separator = shape.listSeparator else { return result[key] = .some(value) }
            result[key] = .string(components.map(\.description).joined(separator: separator))
            remember(path, \.joined)
        case .array(let values):
            guard let separator = shape.listSeparator, values.allSatisfy(\.isScalar) else {
                return result[key] = .some(value)
            }
            result[key] = .string(values.map(\.plainText).joined(separator: separator))
            remember(path, \.joined)
        case .document(let inner) where depth < JSON.Limits.depthCeiling:
            guard shape.flattensDocuments, !inner.isEmpty else {
                var nested = Document()
                for (name, value) in inner {
                    add(name, value, path: path + "." + name, to: &nested, beside: [:], depth: depth + 1)
                }
                return result[key] = .document(nested)
            }
            // A path that is taken would swallow a field.
            if inner.contains(where: { names.position(of: key + "." + $0.key) != nil }) {
                return result[key] = .some(value)
            }
            remember(path, \.flattened)
            for (name, value) in inner {
                add(
                    key + "." + name, value, path: path + "." + name, to: &result, beside: names, depth: depth + 1)
            }
        default: result[key] = .some(value)
        }
    }

    private func isVector(_ values: [Value]) -> Bool {
        guard let maximum = shape.maximumVectorLength, values.count > maximum else { return false }
        return values.allSatisfy { $0.double != nil }
    }

    private mutating func remember(_ path: String, _ list: WritableKeyPath<TOONShapeReport, [String]>) {
        guard known.count < Self.maximumColumnCount, known.insert(path).inserted else { return }
        report[keyPath: list].append(path)
    }
}

extension TOONShape {
    var changesDocuments: Bool { flattensDocuments || listSeparator != nil || maximumVectorLength != nil }
}

extension Value {
    /// A plain value as it stands in a joined list.
    fileprivate var plainText: String {
        switch self {
        case .string(let text): text
        case .null: "null"
        case .bool(let value): value ? "true" : "false"
        case .int(let number): "\(number)"
        case .uint(let number): "\(number)"
        default: (try? TOON.string(self)) ?? ""
        }
    }
}
