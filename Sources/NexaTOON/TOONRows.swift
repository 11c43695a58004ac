import NexaValue

/// Lists of one line, tables and keyed tables.
extension TOONParser {
    /// Reads the values behind the header of a list of one line.
    mutating func readInline(_ header: TOONHeader) throws(TOONError) -> [Value] {
        var values: [Value] = []
        values.reserveCapacity(min(header.count, header.rest.count / 2 + 1))
        var position = header.rest.lowerBound
        var isLast = false
        while !isLast {
            values.append(try readScalar(cell(&position, header.rest.upperBound, header.delimiter, &isLast)))
        }
        try checkCount("values", header, values.count)
        return values
    }

    /// The next cell of a line, without blanks; `position` goes behind its delimiter.
    @inline(__always)
    private func cell(_ position: inout Int, _ end: Int, _ delimiter: UInt8, _ isLast: inout Bool) -> Range<Int> {
        let start = position
        var stop = start
        while stop < end {
            let byte = bytes[stop]
            if byte == delimiter { break }
            if byte == 0x22 {
                guard let behind = passQuoted(stop, end) else {
                    stop = end
                    break
                }
                stop = behind
            } else if options.acceptsNexaDB3, byte == 0x5B || byte == 0x7B, let behind = passPython(stop, end) {
                stop = behind
            } else {
                stop &+= 1
            }
        }
        isLast = stop >= end
        position = stop &+ 1
        return trimmedRange(start, min(stop, end))
    }

    /// Whether a line at the depth of a table's rows is a field instead: its first colon stands before its first
    /// delimiter, both outside quotes (9.3).
    private func isField(_ line: TOONLine, _ delimiter: UInt8) -> Bool {
        var position = line.start
        while position < line.end {
            switch bytes[position] {
            case delimiter: return false
            case 0x3A: return true
            case 0x22:
                guard let behind = passQuoted(position, line.end) else { return false }
                position = behind
            default: position &+= 1
            }
        }
        return false
    }

    mutating func parseRows(
        _ header: TOONHeader, _ fields: TOONFields, depth: Int
    ) throws(TOONError) -> Value {
        guard let content = try contentDepth(below: depth) else {
            try checkCount("rows", header, 0)
            return .array([])
        }
        var rows: [Value] = []
        rows.reserveCapacity(min(header.count, (bytes.count - header.rest.upperBound) / 4 + 1))
        let isOutermost = lines.outermostList == nil
        while let next = lines.next, next.depth >= content {
            if next.depth == content, isField(next, header.delimiter) {
                // No field can stand that deep.
                if isStrict { throw fault(.expected("a row, found a field"), at: next.start) }
                break
            }
            guard let line = try takeElement(depth: content) else { break }
            if isOutermost { lines.outermostList = content }
            if isStrict, rows.count == header.count {
                throw fault(.count(of: "rows", declared: header.count, found: rows.count + 1), at: line.start)
            }
            rows.append(.document(try readRow(line.start, line.end, header.delimiter, fields)))
        }
        if isOutermost { lines.outermostList = nil }
        try checkCount("rows", header, rows.count)
        return .array(rows)
    }

    mutating func parseEntries(
        _ header: TOONHeader, _ fields: TOONFields, depth: Int
    ) throws(TOONError) -> Value {
        var document = Document()
        guard let content = try contentDepth(below: depth) else {
            try checkCount("rows", header, 0)
            return .document(document)
        }
        var count = 0
        let isOutermost = lines.outermostList == nil
        while let line = try takeElement(depth: content) {
            if isOutermost { lines.outermostList = content }
            guard let colon = findColon(line.start, line.end).colon else {
                if isStrict { throw fault(.expected("a ':' behind the key of a row"), at: line.start) }
                continue
            }
            count += 1
            let key = try readKey(line.start, colon)
            let rest = trimmedRange(colon + 1, line.end)
            if rest.isEmpty, isStrict {
                throw fault(.width(declared: fields.cellCount, found: 0), at: line.end)
            }
            let entry = try readRow(rest.lowerBound, rest.upperBound, header.delimiter, fields)
            try add(key, .document(entry), to: &document, at: line.start)
        }
        if isOutermost { lines.outermostList = nil }
        try checkCount("rows", header, count)
        return .document(document)
    }

    // MARK: Rows

    private mutating func readRow(
        _ start: Int, _ end: Int, _ delimiter: UInt8, _ fields: TOONFields
    ) throws(TOONError) -> Document {
        var position = start
        var isLast = start >= end
        let count = fields.columns.count
        guard fields.nesting == 0, fields.areDistinct else {
            return try readNestedRow(start, end, delimiter, fields)
        }
        var elements: [Document.Element] = []
        elements.reserveCapacity(count)
        var found = 0
        while !isLast {
            let range = cell(&position, end, delimiter, &isLast)
            if found < count {
                elements.append((fields.columns[found].key, try readScalar(range)))
            }
            found &+= 1
        }
        if isStrict, found != count { throw fault(.width(declared: count, found: found), at: start) }
        return Document(distinct: elements)
    }

    private mutating func readNestedRow(
        _ start: Int, _ end: Int, _ delimiter: UInt8, _ fields: TOONFields
    ) throws(TOONError) -> Document {
        var position = start
        var isLast = start >= end
        cells.removeAll(keepingCapacity: true)
        while !isLast { cells.append(try readScalar(cell(&position, end, delimiter, &isLast))) }
        if isStrict, cells.count != fields.cellCount {
            throw fault(.width(declared: fields.cellCount, found: cells.count), at: start)
        }
        var next = 0
        return try document(of: fields.columns, &next, at: start)
    }

    /// Makes the document of a group from the next cells; cells that a short row lacks are left out.
    private mutating func document(
        of columns: [TOONColumns.Column], _ next: inout Int, at offset: Int
    ) throws(TOONError) -> Document {
        var document = Document()
        document.reserveCapacity(columns.count)
        budget -= columns.count
        guard budget >= 0 else {
            throw fault(.tooManyValues(limit: Self.budget(for: bytes.count)), at: offset)
        }
        for column in columns {
            if let group = column.group {
                document[column.key] = .document(try self.document(of: group, &next, at: offset))
            } else if next < cells.count {
                document[column.key] = .some(cells[next])
                next += 1
            }
        }
        return document
    }
}
