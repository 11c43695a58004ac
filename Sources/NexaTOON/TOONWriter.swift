import NexaValue

/// The encoder's walk over a value.
///
/// A list or document that may become a table is written as one at once, and written anew in the general form when an
/// element does not fit: almost every table is found with its first two elements, and no element is looked at twice.
struct TOONWriter: ~Copyable {
    var output: TOONBuffer
    let delimiter: UInt8
    let indentation: Int
    let limit: Int
    /// False until the first line began; line breaks stand between lines only.
    var hasLines = false

    init(_ options: TOON.EncodingOptions) {
        output = TOONBuffer()
        delimiter = options.delimiter.rawValue
        indentation = options.indentation
        limit = options.maximumByteCount
    }

    // MARK: Root

    mutating func writeRoot(_ value: Value) throws(TOONEncodingError) {
        switch value {
        case .array(let values):
            if values.isEmpty { output.put("[]") } else { try writeList(values, depth: 0, mayBeTable: true) }
        case .vector(let components):
            if components.isEmpty { output.put("[]") } else { writeVector(components) }
        case .document(let document): try writeRoot(document)
        case .bytes, .extended: if let form = value.documentForm { try writeRoot(form) }
        default: writeScalar(value)
        }
        try checkSize()
    }

    private mutating func writeRoot(_ document: Document) throws(TOONEncodingError) {
        if try writeKeyed(document, depth: 0) { return }
        try writeFields(document, depth: 0)
    }

    // MARK: Lines

    mutating func checkSize() throws(TOONEncodingError) {
        if output.count > limit { throw TOONEncodingError(.tooLarge(limit: limit)) }
    }

    /// Begins a line.
    @inline(__always) mutating func newLine(_ depth: Int) throws(TOONEncodingError) {
        try checkSize()
        let blanks = depth &* indentation
        output.need(blanks &+ 1)
        if hasLines { output.putUnchecked(0x0A) }
        hasLines = true
        for _ in 0..<blanks { output.putUnchecked(0x20) }
    }

    @inline(__always) func checkDepth(_ depth: Int) throws(TOONEncodingError) {
        if depth >= JSON.Limits.depthCeiling { throw TOONEncodingError(.tooDeep(limit: JSON.Limits.depthCeiling)) }
    }

    // MARK: Documents

    mutating func writeFields(_ document: Document, depth: Int) throws(TOONEncodingError) {
        try checkDepth(depth)
        for index in document.indices {
            try newLine(depth)
            try writeField(document[index], depth: depth)
        }
    }

    /// Writes a field on a line that has begun.
    mutating func writeField(_ field: Document.Element, depth: Int) throws(TOONEncodingError) {
        writeKey(field.key)
        switch field.value {
        case .document(let document): try writeNested(document, depth: depth)
        case .array(let values):
            if values.isEmpty { output.put(": []") } else { try writeList(values, depth: depth, mayBeTable: true) }
        case .vector(let components):
            if components.isEmpty { output.put(": []") } else { writeVector(components) }
        case .bytes, .extended:
            if let form = field.value.documentForm { try writeNested(form, depth: depth) }
        default:
            output.put(": ")
            writeScalar(field.value)
        }
    }

    /// Writes the document under a key that was written.
    private mutating func writeNested(_ document: Document, depth: Int) throws(TOONEncodingError) {
        if try writeKeyed(document, depth: depth) { return }
        output.put(0x3A)
        try writeFields(document, depth: depth + 1)
    }

    /// Writes a document of documents with the same fields as a keyed table (9.5); false if it is none.
    private mutating func writeKeyed(_ document: Document, depth: Int) throws(TOONEncodingError) -> Bool {
        guard document.count >= 2, let first = document[0].value.documentForm,
            let second = document[1].value.documentForm, let columns = TOONColumns(of: first, and: second)
        else { return false }
        try checkDepth(depth + 1 + columns.nesting)
        let mark = output.count
        let hadLines = hasLines
        if depth == 0 { hasLines = true }
        writeHeader(count: document.count, columns: columns, isKeyed: true)
        for index in document.indices {
            let (key, value) = document[index]
            guard let entry = value.documentForm else { return goBack(to: mark, hadLines) }
            try newLine(depth + 1)
            writeKey(key)
            output.put(": ")
            var isFirst = true
            guard writeCells(entry, columns.columns, &isFirst) else { return goBack(to: mark, hadLines) }
        }
        return true
    }

    private mutating func goBack(to mark: Int, _ hadLines: Bool) -> Bool {
        output.truncate(to: mark)
        hasLines = hadLines
        return false
    }

    // MARK: Lists

    /// Writes a list that is not empty, behind its key if it has one.
    mutating func writeList(_ values: [Value], depth: Int, mayBeTable: Bool) throws(TOONEncodingError) {
        try checkDepth(depth)
        hasLines = true
        if values[0].isScalar {
            if writeInline(values) { return }
        } else if mayBeTable, try writeTable(values, depth: depth) {
            return
        }
        writeCount(values.count)
        output.put(0x3A)
        for value in values { try writeItem(value, depth: depth + 1) }
    }

    /// Writes `[3]: a,b,c`; false if an element does not fit a cell.
    private mutating func writeInline(_ values: [Value]) -> Bool {
        let mark = output.count
        writeCount(values.count)
        output.put(": ")
        var isFirst = true
        for value in values {
            guard value.isScalar else {
                output.truncate(to: mark)
                return false
            }
            if !isFirst { output.put(delimiter) }
            isFirst = false
            writeScalar(value)
        }
        return true
    }

    /// Writes a list of documents as a table (9.3); false if it is none.
    private mutating func writeTable(_ values: [Value], depth: Int) throws(TOONEncodingError) -> Bool {
        guard let first = values[0].documentForm else { return false }
        let found: TOONColumns?
        if values.count > 1 {
            guard let second = values[1].documentForm else { return false }
            found = TOONColumns(of: first, and: second)
        } else {
            found = TOONColumns(of: first)
        }
        guard let columns = found else { return false }
        try checkDepth(depth + 1 + columns.nesting)
        let mark = output.count
        writeHeader(count: values.count, columns: columns, isKeyed: false)
        for value in values {
            try newLine(depth + 1)
            var isFirst = true
            guard let row = value.documentForm, writeCells(row, columns.columns, &isFirst) else {
                return goBack(to: mark, true)
            }
        }
        return true
    }

    /// Writes the cells of a row; false, with some of them written, if the document does not fit.
    mutating func writeCells(_ row: Document, _ columns: [TOONColumns.Column], _ isFirst: inout Bool) -> Bool {
        guard row.count == columns.count else { return false }
        for index in columns.indices {
            guard let value = row.value(of: columns[index].key, near: index) else { return false }
            if let group = columns[index].group {
                guard let inner = value.documentForm, writeCells(inner, group, &isFirst) else { return false }
                continue
            }
            guard value.isScalar else { return false }
            if !isFirst { output.put(delimiter) }
            isFirst = false
            writeScalar(value)
        }
        return true
    }

    /// Writes an element of a list in list form (9.4, 10).
    mutating func writeItem(_ value: Value, depth: Int) throws(TOONEncodingError) {
        try newLine(depth)
        output.put(0x2D)
        switch value {
        case .document(let document): try writeItem(document, depth: depth)
        case .array(let values):
            output.put(0x20)
            if values.isEmpty { return writeEmptyItem() }
            try writeList(values, depth: depth, mayBeTable: false)
        case .vector(let components):
            output.put(0x20)
            if components.isEmpty { return writeEmptyItem() }
            writeVector(components)
        case .bytes, .extended: if let form = value.documentForm { try writeItem(form, depth: depth) }
        default:
            output.put(0x20)
            writeScalar(value)
        }
    }

    private mutating func writeItem(_ document: Document, depth: Int) throws(TOONEncodingError) {
        try checkDepth(depth)
        for index in document.indices {
            if index == 0 { output.put(0x20) } else { try newLine(depth + 1) }
            try writeField(document[index], depth: depth + 1)
        }
    }

    private mutating func writeEmptyItem() {
        writeCount(0)
        output.put(0x3A)
    }

    /// Writes the numbers of a vector that is not empty.
    private mutating func writeVector(_ components: [Float]) {
        writeCount(components.count)
        output.put(": ")
        for index in components.indices {
            if index > 0 { output.put(delimiter) }
            writeNumber(components[index])
        }
    }

    // MARK: Headers

    /// Writes `[3]`.
    mutating func writeCount(_ count: Int, isKeyed: Bool = false) {
        output.put(0x5B)
        output.put(digits: UInt64(count.magnitude))
        if isKeyed { output.put(0x3A) }
        if delimiter != 0x2C { output.put(delimiter) }
        output.put(0x5D)
    }

    /// Writes `[3]{a,b{c,d}}:`.
    mutating func writeHeader(count: Int, columns: TOONColumns, isKeyed: Bool) {
        writeCount(count, isKeyed: isKeyed)
        writeColumns(columns.columns)
        output.put(0x3A)
    }

    private mutating func writeColumns(_ columns: [TOONColumns.Column]) {
        output.put(0x7B)
        for (index, column) in columns.enumerated() {
            if index > 0 { output.put(delimiter) }
            writeKey(column.key)
            if let group = column.group { writeColumns(group) }
        }
        output.put(0x7D)
    }
}
