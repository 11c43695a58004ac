import NexaValue

/// The fields that were seen in some documents, and the values of those that have few.
struct CompletionSample: Sendable {
    /// More fields are not kept.
    static let maximumFields = 2000
    /// Deeper documents are not looked into.
    static let maximumDepth = 8
    /// A field with more distinct values offers none.
    static let maximumValues = 50
    /// Longer strings are no values to choose from.
    static let maximumValueBytes = 100
    /// Of a longer array only the beginning is looked at.
    private static let maximumElements = 100

    private struct Field {
        /// `nil` once there are too many.
        var values: Set<CompletionCandidate>? = []
    }

    private var fields: [String: Field] = [:]

    /// The paths of all fields, with dots.
    var paths: [String] { Array(fields.keys) }

    /// The strings and booleans that a field has.
    func values(of path: String) -> [CompletionCandidate] { fields[path]?.values.map(Array.init) ?? [] }

    mutating func add(_ document: Document) { add(document, "", 0) }

    /// Adds what another sample has.
    mutating func merge(_ other: CompletionSample) {
        for (path, field) in other.fields {
            guard fields[path] != nil || fields.count < Self.maximumFields else { continue }
            guard let mine = fields[path, default: Field()].values, let theirs = field.values else {
                fields[path] = Field(values: nil)
                continue
            }
            let all = mine.union(theirs)
            fields[path] = Field(values: all.count > Self.maximumValues ? nil : all)
        }
    }

    private mutating func add(_ document: Document, _ parent: String, _ depth: Int) {
        guard depth < Self.maximumDepth else { return }
        for (key, value) in document {
            guard !key.isEmpty, key.utf8.count <= 256 else { continue }
            let path = parent.isEmpty ? key : "\(parent).\(key)"
            guard fields[path] != nil || fields.count < Self.maximumFields else { continue }
            if fields[path] == nil { fields[path] = Field() }
            note(value, at: path, depth)
        }
    }

    private mutating func note(_ value: Value, at path: String, _ depth: Int) {
        switch value {
        case .document(let document): add(document, path, depth + 1)
        case .array(let elements):
            for element in elements.prefix(Self.maximumElements) {
                if case .array = element { continue }
                note(element, at: path, depth)
            }
        case .string(let text):
            if text.utf8.count > Self.maximumValueBytes {
                fields[path]?.values = nil
            } else {
                insert(CompletionCandidate(text), path)
            }
        case .bool(let flag): insert(CompletionCandidate(flag ? "true" : "false", .literal), path)
        default: break
        }
    }

    private mutating func insert(_ value: CompletionCandidate, _ path: String) {
        // In place: the set must not be copied for each value.
        guard fields[path]?.values?.insert(value).inserted == true else { return }
        if (fields[path]?.values?.count ?? 0) > Self.maximumValues { fields[path]?.values = nil }
    }
}
