import NexaValue

/// Turns lines into values.
///
/// It recurses once for each level of the text; the limit of levels bounds the stack that it takes.
struct TOONParser {
    let bytes: UnsafeBufferPointer<UInt8>
    let options: TOON.DecodingOptions
    var lines: TOONLines
    /// How many values the rest of the text may make. Each one that stands in the text takes a byte and a delimiter;
    /// only the nested groups of a header make more, and a hostile one as many as it likes.
    var budget: Int
    /// Texts with escapes, between being read and being stored.
    var scratch: [UInt8] = []
    /// The cells of a row with nested groups.
    var cells: [Value] = []

    var isStrict: Bool { options.isStrict }

    init(_ bytes: UnsafeBufferPointer<UInt8>, _ options: TOON.DecodingOptions) {
        self.bytes = bytes
        self.options = options
        lines = TOONLines(bytes, options)
        budget = Self.budget(for: bytes.count)
    }

    static func budget(for byteCount: Int) -> Int { 8 * byteCount + 4096 }

    func fault(_ reason: TOONError.Reason, at offset: Int) -> TOONError { lines.fault(reason, at: offset) }

    // MARK: Root

    mutating func parse() throws(TOONError) -> Value {
        guard bytes.count <= options.limits.maximumByteCount else {
            throw TOONError(.tooLarge(limit: options.limits.maximumByteCount), offset: 0, line: 1, column: 1)
        }
        do throws(UTF8.ValidationError) {
            _ = try UTF8Span(validating: Span(_unsafeElements: bytes))
        } catch {
            throw fault(.invalidUTF8, at: error.byteOffsets.lowerBound)
        }
        try lines.advance()
        guard let first = lines.next else { return .document(Document()) }
        if isStrict, first.depth > 0 { throw fault(.orphanLine, at: first.start) }
        if let value = try parseRootList(first) {
            if isStrict, let rest = lines.next { throw fault(.trailingContent, at: rest.start) }
            return value
        }
        if let value = try parseRootScalar(first) { return value }
        return .document(try parseFields(depth: isStrict ? 0 : first.depth, level: 0))
    }

    /// The list or table that a text without key begins with.
    private mutating func parseRootList(_ first: TOONLine) throws(TOONError) -> Value? {
        guard bytes[first.start] == 0x5B else { return nil }
        if trimmed(first.start, first.end).elementsEqual("[]".utf8) {
            _ = try lines.take()
            return .array([])
        }
        guard let header = try readHeader(first.start, first.end), header.keyEnd == first.start else { return nil }
        _ = try lines.take()
        return try parseList(header, depth: first.depth, level: 0)
    }

    /// The only value of a text of one line without a colon.
    private mutating func parseRootScalar(_ first: TOONLine) throws(TOONError) -> Value? {
        var ahead = lines
        _ = try ahead.take()
        guard ahead.next == nil, findColon(first.start, first.end).colon == nil else { return nil }
        lines = ahead
        return try readScalar(trimmedRange(first.start, first.end))
    }

    func checkLevel(_ level: Int, at offset: Int) throws(TOONError) {
        let limit = min(options.limits.maximumDepth, JSON.Limits.depthCeiling)
        if level >= limit { throw fault(.tooDeep(limit: limit), at: offset) }
    }

    // MARK: Documents

    /// Reads the fields of a document: the lines at a depth, up to the first that is less deep.
    mutating func parseFields(depth: Int, level: Int) throws(TOONError) -> Document {
        var document = Document()
        try parseFields(into: &document, depth: depth, level: level)
        return document
    }

    mutating func parseFields(into document: inout Document, depth: Int, level: Int) throws(TOONError) {
        if let line = lines.next { try checkLevel(level, at: line.start) }
        while let line = lines.next, line.depth >= depth {
            if line.depth > depth {
                if isStrict { throw fault(.orphanLine, at: line.start) }
                _ = try lines.take()
                continue
            }
            _ = try lines.take()
            try parseField(line.start, line.end, into: &document, depth: depth, level: level)
        }
    }

    /// Reads the field whose key stands at an offset of a line that was taken.
    mutating func parseField(
        _ start: Int, _ end: Int, into document: inout Document, depth: Int, level: Int
    ) throws(TOONError) {
        let found = findColon(start, end)
        if found.bracket != nil, let header = try readHeader(start, end) {
            if header.keyEnd > start {
                let key = try readKey(start, header.keyEnd)
                let value = try parseList(header, depth: depth, level: level + 1)
                return try add(key, value, to: &document, at: start)
            }
            if isStrict {
                throw fault(.header("a list without a key cannot stand among fields"), at: start)
            }
        }
        guard let colon = found.colon else {
            if isStrict { throw missingColon(start, end) }
            return  // a line without a place
        }
        let key = try readKey(start, colon)
        try add(key, try parseFieldValue(colon + 1, end, depth: depth, level: level), to: &document, at: start)
    }

    /// Reads what stands behind the colon of a field, or the document below it.
    private mutating func parseFieldValue(
        _ start: Int, _ end: Int, depth: Int, level: Int
    ) throws(TOONError) -> Value {
        let range = trimmedRange(start, end)
        if range.isEmpty {
            guard let next = lines.next, next.depth > depth else {
                try checkLevel(level + 1, at: start)
                return .document(Document())
            }
            if isStrict, next.depth > depth + 1 { throw fault(.orphanLine, at: next.start) }
            return .document(try parseFields(depth: isStrict ? depth + 1 : next.depth, level: level + 1))
        }
        if isEmptyList(range) {
            try checkLevel(level + 1, at: start)
            return .array([])
        }
        return try readScalar(range)
    }

    func isEmptyList(_ range: Range<Int>) -> Bool {
        range.count == 2 && bytes[range.lowerBound] == 0x5B && bytes[range.lowerBound + 1] == 0x5D
    }

    private func missingColon(_ start: Int, _ end: Int) -> TOONError {
        if bytes[start] == 0x22, passQuoted(start, end) == nil { return fault(.unterminatedString, at: start) }
        return fault(.expected("a ':' behind a key"), at: trimmedRange(start, end).upperBound)
    }

    mutating func add(_ key: String, _ value: Value, to document: inout Document, at offset: Int) throws(TOONError) {
        if isStrict, document.position(of: key) != nil { throw fault(.duplicateKey(key), at: offset) }
        document[key] = .some(value)
    }

    // MARK: Lists

    /// Reads the list, table or keyed table behind its header; the header's line was taken and stands at a depth.
    mutating func parseList(_ header: TOONHeader, depth: Int, level: Int) throws(TOONError) -> Value {
        try checkLevel(level, at: header.keyEnd)
        if let fields = header.fields {
            try checkLevel(level + 1 + fields.nesting, at: header.keyEnd)
            return header.isKeyed
                ? try parseEntries(header, fields, depth: depth) : try parseRows(header, fields, depth: depth)
        }
        if !header.rest.isEmpty { return .array(try readInline(header)) }
        return .array(try parseItems(header, depth: depth, level: level))
    }

    /// The depth at which the contents of a header's scope stand; `nil` if there are none.
    func contentDepth(below depth: Int) throws(TOONError) -> Int? {
        guard let next = lines.next, next.depth > depth else { return nil }
        if next.depth > depth + 1 {
            if isStrict { throw fault(.orphanLine, at: next.start) }
            return next.depth
        }
        return depth + 1
    }

    /// Takes the next line if it is one of a list's at a depth; lines deeper than that are faults or passed over.
    mutating func takeElement(depth: Int) throws(TOONError) -> TOONLine? {
        while let line = lines.next, line.depth >= depth {
            guard line.depth > depth else { return try lines.take() }
            if isStrict { throw fault(.orphanLine, at: line.start) }
            _ = try lines.take()
        }
        return nil
    }

    private mutating func parseItems(
        _ header: TOONHeader, depth: Int, level: Int
    ) throws(TOONError) -> [Value] {
        var items: [Value] = []
        guard let content = try contentDepth(below: depth) else {
            try checkCount("list items", header, 0)
            return []
        }
        let isOutermost = lines.outermostList == nil
        while let line = try takeElement(depth: content) {
            if isOutermost { lines.outermostList = content }
            guard bytes[line.start] == 0x2D, line.end == line.start + 1 || bytes[line.start + 1] == 0x20 else {
                if isStrict { throw fault(.expected("a list item, which begins with '- '"), at: line.start) }
                continue
            }
            if isStrict, items.count == header.count {
                throw fault(
                    .count(of: "list items", declared: header.count, found: items.count + 1), at: line.start)
            }
            items.append(try parseItem(line.start + 1, line.end, depth: content, level: level))
        }
        if isOutermost { lines.outermostList = nil }
        try checkCount("list items", header, items.count)
        return items
    }

    /// Reads a list item behind its hyphen.
    private mutating func parseItem(
        _ hyphen: Int, _ end: Int, depth: Int, level: Int
    ) throws(TOONError) -> Value {
        let range = trimmedRange(hyphen, end)
        if range.isEmpty || isEmptyList(range) { try checkLevel(level + 1, at: hyphen) }
        if range.isEmpty {
            var document = Document()
            if let next = lines.next, next.depth > depth {
                try parseFields(into: &document, depth: depth + 1, level: level + 1)
            }
            return .document(document)
        }
        if isEmptyList(range) { return .array([]) }
        let found = findColon(range.lowerBound, end)
        if bytes[range.lowerBound] == 0x5B, found.bracket == range.lowerBound,
            let header = try readHeader(range.lowerBound, end), header.keyEnd == range.lowerBound
        {
            if header.fields != nil, isStrict {
                throw fault(.header("a table in a list needs a key, or list form"), at: range.lowerBound)
            }
            return try parseList(header, depth: depth, level: level + 1)
        }
        guard found.colon != nil else { return try readScalar(range) }
        try checkLevel(level + 1, at: range.lowerBound)
        var document = Document()
        try parseField(range.lowerBound, end, into: &document, depth: depth + 1, level: level + 1)
        try parseFields(into: &document, depth: depth + 1, level: level + 1)
        return .document(document)
    }

    func checkCount(_ what: String, _ header: TOONHeader, _ found: Int) throws(TOONError) {
        guard isStrict, found != header.count else { return }
        throw fault(.count(of: what, declared: header.count, found: found), at: header.keyEnd)
    }
}
