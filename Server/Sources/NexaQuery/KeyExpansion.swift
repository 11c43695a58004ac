import NexaValue

/// Follows the paths of all fields of an index at once, element by element where they meet an array.
struct KeyExpansion: ~Escapable {
    /// How far one field is.
    struct Cursor {
        enum Place { case path, value, missing, emptyArray }
        var offset = 0
        /// The next part of the path.
        var part = 0
        var place = Place.path
    }

    private struct FoundArray {
        var offset: Int
        var first: Int
        var count: Int
    }

    let span: RawSpan
    let pattern: IndexKeyPattern
    let prefix: [UInt8]
    let isSparse: Bool
    let maximumKeys: Int
    private(set) var result = IndexKeyPattern.Keys()

    @_lifetime(copy span)
    init(_ span: RawSpan, pattern: IndexKeyPattern, prefix: [UInt8], isSparse: Bool, maximumKeys: Int) {
        self.span = span
        self.pattern = pattern
        self.prefix = prefix
        self.isSparse = isSparse
        self.maximumKeys = maximumKeys
    }

    /// Adds the keys for where the fields are. Each level of recursion follows a part of a path, which bounds its depth.
    @_lifetime(self: copy self)
    mutating func expand(_ start: [Cursor]) throws {
        var cursors = start
        var array: FoundArray?
        var atArray: UInt32 = 0
        for field in cursors.indices {
            guard let met = try follow(&cursors[field], field) else { continue }
            if let array, array.offset != met.offset {
                let other = pattern.fields[atArray.trailingZeroBitCount].path
                throw QueryError(
                    .invalidPath,
                    "cannot index parallel arrays: \"\(other)\" and \"\(pattern.fields[field].path)\" are in two arrays "
                        + "of one document")
            }
            array = met
            atArray |= 1 << UInt32(field)
        }
        guard let array else { return try emit(cursors) }
        result.multikey |= atArray
        guard array.count > 0 else {
            for field in cursors.indices where atArray & 1 << UInt32(field) != 0 {
                cursors[field].place = isAtEnd(cursors[field], field) ? .emptyArray : .missing
            }
            return try emit(cursors)
        }
        var reader = MessagePackReader(span, at: array.first)
        for _ in 0..<array.count {
            let element = reader.position
            var inner = MessagePackReader(span, at: element)
            var isMap = false
            if case .map = try inner.readHead() { isMap = true }
            var next = cursors
            for field in cursors.indices where atArray & 1 << UInt32(field) != 0 {
                next[field].offset = element
                // An element is taken as it is: only the outermost of nested arrays is opened.
                if isAtEnd(cursors[field], field) {
                    next[field].place = .value
                } else if !isMap {
                    next[field].place = .missing
                }
            }
            try expand(next)
            try reader.skip()
        }
    }

    private func isAtEnd(_ cursor: Cursor, _ field: Int) -> Bool { cursor.part == pattern.paths[field].parts.count }

    /// Moves a field along its path, to its value, or to the array that it stops at.
    private func follow(_ cursor: inout Cursor, _ field: Int) throws -> FoundArray? {
        guard cursor.place == .path else { return nil }
        let parts = pattern.paths[field].parts
        while true {
            var reader = MessagePackReader(span, at: cursor.offset)
            let head = try reader.readHead()
            if case .array(let count) = head {
                return FoundArray(offset: cursor.offset, first: reader.position, count: count)
            }
            if cursor.part == parts.count {
                cursor.place = .value
                return nil
            }
            guard case .map(let count) = head,
                let value = try span.value(of: parts[cursor.part], at: reader.position, count: count)
            else {
                cursor.place = .missing
                return nil
            }
            cursor.part += 1
            cursor.offset = value
        }
    }

    @_lifetime(self: copy self)
    private mutating func emit(_ cursors: [Cursor]) throws {
        if isSparse, cursors.allSatisfy({ $0.place == .missing }) { return }
        guard result.keys.count < maximumKeys else {
            throw QueryError.limit("a document has more than \(maximumKeys) keys in one index")
        }
        var key = prefix
        key.reserveCapacity(prefix.count + 24 * cursors.count)
        for (field, cursor) in cursors.enumerated() {
            let start = key.count
            switch cursor.place {
            case .missing, .path: key.append(OrderedEncoding.null)
            case .emptyArray: key.append(OrderedEncoding.emptyArray)
            case .value:
                var reader = MessagePackReader(span, at: cursor.offset)
                try OrderedEncoding.append(&reader, depth: 0, to: &key)
                if key.count - start > IndexKeyPattern.maximumFieldBytes {
                    key.removeSubrange((start + IndexKeyPattern.maximumFieldBytes)...)
                    result.cut |= 1 << UInt32(field)
                }
            }
            if pattern.fields[field].isDescending { OrderedEncoding.invert(&key, from: start) }
        }
        result.keys.append(key)
    }
}
