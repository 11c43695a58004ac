import NexaValue

/// The header of a list, a table or a keyed table (section 6).
struct TOONHeader {
    /// Where its key ends and its bracket begins; the start of the line if it has no key.
    var keyEnd: Int
    var count: Int
    var delimiter: UInt8
    var isKeyed: Bool
    /// The columns of a table.
    var fields: TOONFields?
    /// What stands behind the colon, without blanks around it.
    var rest: Range<Int>
}

/// The columns of a table that is read.
struct TOONFields {
    var columns: [TOONColumns.Column]
    var cellCount: Int
    /// Whether no two columns of a group have the same name, so that rows need no look-ups.
    var areDistinct: Bool
    /// How deep groups nest in groups; 0 if no column is a group.
    var nesting: Int
}

extension TOONParser {
    /// Where the first colon outside quotes stands, and the first bracket before it.
    func findColon(_ start: Int, _ end: Int) -> (colon: Int?, bracket: Int?) {
        var bracket: Int?
        var position = start
        while position < end {
            switch bytes[position] {
            case 0x3A: return (position, bracket)
            case 0x5B: if bracket == nil { bracket = position }
            case 0x22:
                guard let behind = passQuoted(position, end) else { return (nil, bracket) }
                position = behind
                continue
            default: break
            }
            position &+= 1
        }
        return (nil, bracket)
    }

    /// The offset behind the closing quote of the text that opens at an offset; `nil` if there is none.
    func passQuoted(_ start: Int, _ end: Int) -> Int? {
        var position = start &+ 1
        while position < end {
            let byte = bytes[position]
            if byte == 0x22 { return position &+ 1 }
            position &+= byte == 0x5C ? 2 : 1
        }
        return nil
    }

    /// Reads a line as a header; `nil` if it is none, but an ordinary field.
    ///
    /// - Throws: In strict mode, when it begins like a header and is malformed.
    mutating func readHeader(_ start: Int, _ end: Int) throws(TOONError) -> TOONHeader? {
        var position = start
        if bytes[start] == 0x22 {
            guard let behind = passQuoted(position, end) else { return nil }
            position = behind
        } else {
            while position < end, isNameByte(bytes[position], isFirst: position == start) { position += 1 }
        }
        guard position < end, bytes[position] == 0x5B else { return nil }
        do throws(TOONError) {
            return try readBracket(position, end)
        } catch {
            if isStrict { throw error }
            return nil
        }
    }

    private func isNameByte(_ byte: UInt8, isFirst: Bool) -> Bool {
        byte == 0x5F || (byte | 0x20) &- 0x61 < 26 || (!isFirst && (byte == 0x2E || byte &- 0x30 <= 9))
    }

    private mutating func readBracket(_ bracket: Int, _ end: Int) throws(TOONError) -> TOONHeader {
        var header = TOONHeader(keyEnd: bracket, count: 0, delimiter: 0x2C, isKeyed: false, rest: end..<end)
        var position = bracket + 1
        let digits = position
        while position < end, bytes[position] &- 0x30 <= 9, position - digits < 18 {
            header.count = header.count * 10 + Int(bytes[position] - 0x30)
            position += 1
        }
        guard position > digits else { throw fault(.header("expected a count in the brackets"), at: position) }
        guard bytes[digits] != 0x30 || position == digits + 1 else {
            throw fault(.header("a count must not begin with 0"), at: digits)
        }
        if position < end, bytes[position] == 0x3A {
            header.isKeyed = true
            position += 1
        }
        if position < end, bytes[position] == 0x09 || bytes[position] == 0x7C {
            header.delimiter = bytes[position]
            position += 1
        }
        guard position < end, bytes[position] == 0x5D else {
            throw fault(.header("expected ']' behind the count"), at: position)
        }
        position += 1
        if position < end, bytes[position] == 0x7B {
            var fields = TOONFields(columns: [], cellCount: 0, areDistinct: true, nesting: 0)
            fields.columns = try readColumns(&position, end, header.delimiter, &fields, depth: 0)
            header.fields = fields
        } else if header.isKeyed {
            throw fault(.header("a keyed table needs its fields in braces"), at: position)
        }
        guard position < end, bytes[position] == 0x3A else {
            throw fault(.header("expected ':' at the end of the header"), at: position)
        }
        header.rest = trimmedRange(position + 1, end)
        if header.fields != nil, !header.rest.isEmpty {
            throw fault(.header("the rows of a table stand on lines of their own"), at: header.rest.lowerBound)
        }
        return header
    }

    /// Reads `{a,b{c,d}}`; `position` is at the brace, and behind its partner afterwards.
    private mutating func readColumns(
        _ position: inout Int, _ end: Int, _ delimiter: UInt8, _ fields: inout TOONFields, depth: Int
    ) throws(TOONError) -> [TOONColumns.Column] {
        try checkLevel(depth, at: position)
        var columns: [TOONColumns.Column] = []
        var names = Set<[UInt8]>()
        repeat {
            position += 1
            let start = position
            let key = try readColumnName(&position, end, delimiter)
            if !names.insert(Array(key.utf8)).inserted {
                if isStrict { throw fault(.duplicateKey(key), at: start) }
                fields.areDistinct = false
            }
            var column = TOONColumns.Column(key)
            if position < end, bytes[position] == 0x7B {
                fields.nesting = max(fields.nesting, depth + 1)
                column.group = try readColumns(&position, end, delimiter, &fields, depth: depth + 1)
                passBlanks(&position, end)
            } else {
                fields.cellCount += 1
            }
            columns.append(column)
        } while position < end && bytes[position] == delimiter
        guard position < end, bytes[position] == 0x7D else {
            throw fault(.header("expected the delimiter of the brackets, or '}'"), at: position)
        }
        position += 1
        return columns
    }

    /// Reads one name of a header, which ends before the delimiter or a brace.
    private mutating func readColumnName(
        _ position: inout Int, _ end: Int, _ delimiter: UInt8
    ) throws(TOONError) -> String {
        passBlanks(&position, end)
        let start = position
        if position < end, bytes[position] == 0x22 {
            guard let behind = passQuoted(position, end) else { throw fault(.unterminatedString, at: start) }
            position = behind
            let key = try readQuoted(start..<behind)
            passBlanks(&position, end)
            return key
        }
        scan: while position < end {
            switch bytes[position] {
            case delimiter, 0x7B, 0x7D: break scan
            case 0x2C, 0x7C, 0x09:
                throw fault(.header("another delimiter than the one of the brackets"), at: position)
            case 0x22, 0x3A, 0x5B, 0x5D: throw fault(.header("a field name with this has to be quoted"), at: position)
            default: position += 1
            }
        }
        let range = trimmedRange(start, position)
        guard !range.isEmpty else { throw fault(.header("expected the name of a field"), at: start) }
        return plainText(range)
    }

    func passBlanks(_ position: inout Int, _ end: Int) {
        while position < end, bytes[position] == 0x20 { position += 1 }
    }

    // MARK: Keys

    /// Reads the key that stands before a colon or a bracket.
    mutating func readKey(_ start: Int, _ end: Int) throws(TOONError) -> String {
        let range = trimmedRange(start, end)
        guard !range.isEmpty, bytes[range.lowerBound] == 0x22 else { return plainText(range) }
        guard let behind = passQuoted(range.lowerBound, range.upperBound) else {
            throw fault(.unterminatedString, at: range.lowerBound)
        }
        guard behind == range.upperBound else { throw fault(.expected("':' behind a quoted key"), at: behind) }
        return try readQuoted(range)
    }
}
