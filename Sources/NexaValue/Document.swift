/// An ordered map of fields: a NexaDB document or sub-document.
///
/// Fields keep the order in which they were added. Two documents are equal when they hold equal
/// fields in the same order, as in MongoDB. Copying is cheap (copy-on-write). Look-ups walk the fields
/// of small documents and use a hash index above `indexThreshold` fields, so that a hostile map with a
/// million keys costs linear time.
public struct Document: Sendable {
    /// One field, in the order of the document.
    public typealias Element = (key: String, value: Value)

    @usableFromInline var elements: [Element]
    /// Positions by key; kept only above `indexThreshold` fields.
    @usableFromInline var index: [FieldName: Int]?
    static let indexThreshold = 16

    /// Creates an empty document.
    public init() {
        elements = []
    }

    /// Creates a document from fields in order; a repeated key keeps its first place and its last value.
    public init(_ fields: some Sequence<(String, Value)>) {
        self.init()
        elements.reserveCapacity(fields.underestimatedCount)
        for (key, value) in fields { self[key] = value }
    }

    /// The number of fields.
    public var count: Int { elements.count }

    /// Reserves room for `capacity` fields.
    public mutating func reserveCapacity(_ capacity: Int) {
        elements.reserveCapacity(capacity)
    }

    /// The value of a field, or `nil` when the document has no such field.
    ///
    /// Assigning replaces the value in place or appends a new field; assigning `nil` removes the field.
    /// (To store a null, assign `.some(.null)` or `Value.null`.)
    public subscript(_ key: String) -> Value? {
        get { position(of: key).map { elements[$0].value } }
        set {
            if let position = position(of: key) {
                if let newValue {
                    elements[position].value = newValue
                } else {
                    elements.remove(at: position)
                    index = nil
                    indexIfLarge()
                }
            } else if let newValue {
                elements.append((key, newValue))
                if index != nil { index?[FieldName(key)] = elements.count - 1 } else { indexIfLarge() }
            }
        }
    }

    /// The value at a dotted path such as `"address.city"`, or `nil` when a part is missing.
    ///
    /// A part that is a whole number also selects that element of an array (`"cast.0"`).
    public subscript(path path: String) -> Value? {
        var current = Value.document(self)
        for part in path.split(separator: ".", omittingEmptySubsequences: false) {
            switch current {
            case .document(let document):
                guard let next = document[String(part)] else { return nil }
                current = next
            case .array(let array):
                guard let position = Self.arrayIndex(part), position < array.count else { return nil }
                current = array[position]
            default: return nil
            }
        }
        return current
    }

    /// A path part read as an array index: decimal, without sign or leading zero.
    static func arrayIndex(_ part: Substring) -> Int? {
        var part = String(part)
        return part.withUTF8 { RawSpan(_unsafeBytes: UnsafeRawBufferPointer($0)).decimalIndex }
    }

    /// The field names, in order.
    public var keys: [String] { elements.map(\.key) }

    /// Where a field stands in document order.
    package func position(of key: String) -> Int? {
        if let index { return index[FieldName(key)] }
        return elements.firstIndex { Self.isSameKey($0.key, key) }
    }

    /// Compares keys byte by byte, as the wire and the storage do.
    ///
    /// `String` equality alone takes a precomposed letter and its decomposed spelling for the same key.
    @usableFromInline static func isSameKey(_ left: String, _ right: String) -> Bool {
        left == right && left.utf8.elementsEqual(right.utf8)
    }

    /// A key of the index: a string that is compared byte by byte.
    @usableFromInline struct FieldName: Hashable, Sendable {
        let text: String

        init(_ text: String) { self.text = text }

        @usableFromInline static func == (left: Self, right: Self) -> Bool { isSameKey(left.text, right.text) }

        @usableFromInline func hash(into hasher: inout Hasher) {
            var text = text
            text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        }
    }

    mutating func indexIfLarge() {
        guard index == nil, elements.count > Self.indexThreshold else { return }
        var positions = [FieldName: Int](minimumCapacity: elements.count)
        for (position, element) in elements.enumerated() { positions[FieldName(element.key)] = position }
        index = positions
    }
}

extension Document: RandomAccessCollection {
    /// Always 0.
    public var startIndex: Int { 0 }
    /// The number of fields.
    public var endIndex: Int { elements.count }
    /// The field at a position in document order.
    public subscript(position: Int) -> Element { elements[position] }
}

extension Document: Hashable {
    /// True when both hold equal fields in the same order.
    public static func == (left: Document, right: Document) -> Bool {
        left.elements.elementsEqual(right.elements) { isSameKey($0.key, $1.key) && $0.value == $1.value }
    }

    /// Hashes the fields in order.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(elements.count)
        for element in elements {
            hasher.combine(element.key)
            hasher.combine(element.value)
        }
    }
}

extension Document: ExpressibleByDictionaryLiteral {
    /// Creates a document from a literal; a repeated key keeps its first place and its last value.
    public init(dictionaryLiteral elements: (String, Value)...) { self.init(elements) }
}
