import NexaValue

/// What documents have in common: their fields, by dotted path, with types, shares and an example of each.
///
/// Sub-documents are looked into, and so are the documents in arrays, as paths of filters do.
struct FieldSample {
    /// One field.
    struct Field {
        var path: String
        /// How many documents have it.
        var present = 0
        /// How many documents have a value of a type there.
        var types: [String: Int] = [:]
        /// The first value that is not null.
        var example: Value?
        /// The length of the lists of numbers there, while all have the same; such a field is a vector.
        var dimensions: Int?
        fileprivate var isMixed = false
        fileprivate var lastDocument = -1
        fileprivate var typesOfDocument: Set<String> = []
    }

    /// More fields than these are not told apart.
    static let maximumFields = 500
    static let maximumDepth = 5
    /// A list of so many numbers at least is taken for a vector.
    private static let leastDimensions = 8

    private(set) var documents = 0
    private var order: [String] = []
    private var byPath: [String: Field] = [:]
    /// Whether there were more fields than are kept.
    private(set) var isCut = false

    /// The fields, in the order in which they were first seen.
    var fields: [Field] { order.compactMap { byPath[$0] } }

    /// Looks at a document.
    mutating func add(_ document: Document) {
        look(into: document, prefix: "", depth: 1)
        documents += 1
    }

    private mutating func look(into document: Document, prefix: String, depth: Int) {
        for (key, value) in document {
            let path = prefix.isEmpty ? key : "\(prefix).\(key)"
            note(value, at: path)
            guard depth < Self.maximumDepth else { continue }
            switch value {
            case .document(let inner): look(into: inner, prefix: path, depth: depth + 1)
            case .array(let elements):
                for case .document(let inner) in elements.prefix(20) {
                    look(into: inner, prefix: path, depth: depth + 1)
                }
            default: break
            }
        }
    }

    private mutating func note(_ value: Value, at path: String) {
        var field = byPath[path] ?? Field(path: path)
        if field.present == 0 {
            guard order.count < Self.maximumFields else {
                isCut = true
                return
            }
            order.append(path)
        }
        if field.lastDocument != documents {
            field.lastDocument = documents
            field.typesOfDocument = []
            field.present += 1
        }
        let type = Self.type(of: value)
        if field.typesOfDocument.insert(type).inserted { field.types[type, default: 0] += 1 }
        if field.example == nil, !value.isNull { field.example = .some(value) }
        noteDimensions(of: value, &field)
        byPath[path] = field
    }

    private func noteDimensions(of value: Value, _ field: inout Field) {
        var count: Int?
        switch value {
        case .vector(let numbers): count = numbers.count
        case .array(let elements) where elements.count >= Self.leastDimensions:
            if elements.allSatisfy({ $0.double != nil }) { count = elements.count }
        default: break
        }
        if count == nil || (field.dimensions != nil && field.dimensions != count) { field.isMixed = true }
        field.dimensions = field.isMixed ? nil : count
    }

    /// `integer`, `string`, `array of string`.
    private static func type(of value: Value) -> String {
        guard case .array(let elements) = value else { return value.kindName }
        guard let first = elements.first else { return "array" }
        var kind = first.kindName
        for element in elements.prefix(100) where element.kindName != kind {
            // 1 and 1.5 in one list are numbers.
            guard element.double != nil, kind == "integer" || kind == "double" || kind == "number" else {
                return "array"
            }
            kind = "number"
        }
        return "array of \(kind)"
    }
}

extension FieldSample.Field {
    /// The types, the most frequent first.
    var typesByShare: [(name: String, count: Int)] {
        types.map { (name: $0.key, count: $0.value) }
            .sorted { $0.count == $1.count ? $0.name < $1.name : $0.count > $1.count }
    }

    /// `vector of 768`, `integer`, `integer 98 %, string 2 %`.
    var typeText: String {
        if let dimensions { return "vector of \(dimensions)" }
        let types = typesByShare
        guard types.count > 1 else { return types.first?.name ?? "" }
        return types.map { "\($0.name) \(Amount.share($0.count, of: present))" }.joined(separator: ", ")
    }

    /// The example as JSON, cut to so many characters.
    func exampleText(_ length: Int) -> String {
        guard let example else { return "null" }
        if case .array(let elements) = example, elements.count > 8 {
            let first = Value.array(Array(elements.prefix(2)))
            let text = (try? JSON.string(first)) ?? "[]"
            return "\(text.dropLast()), … \(elements.count)]"
        }
        let text = (try? JSON.string(example, .init(nonFiniteNumbers: .extendedForm))) ?? ""
        return text.count > length ? "\(text.prefix(length - 1))…" : text
    }

    /// The field as programs read it.
    func shown(of documents: Int) -> Document {
        var document: Document = [
            "field": .string(path),
            "types": .document(Document(typesByShare.map { ($0.name, .int(Int64($0.count))) })),
            "present": .int(Int64(present)), "missing": .int(Int64(max(0, documents - present)))
        ]
        if let dimensions { document["dimensions"] = .int(Int64(dimensions)) }
        if let example { document["example"] = .some(example) }
        return document
    }
}
