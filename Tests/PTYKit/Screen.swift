/// What a person would see: a small model of a terminal's screen.
///
/// It knows what line editors use (printing, CR, LF, BS, TAB, the CSI moves and erases, insert and delete) and ignores the
/// rest. It answers no queries, so that a program that sends one is noticed.
public struct Screen {
    /// The width in cells.
    public private(set) var columns: Int
    /// The height in rows.
    public private(set) var rows: Int
    private var cells: [[String]]
    /// The row of the cursor, from 0.
    public private(set) var row = 0
    /// The column of the cursor, from 0; the width itself behind the last cell.
    public private(set) var column = 0
    private var escape: [Unicode.Scalar] = []
    private var pending: [UInt8] = []
    /// Whether bracketed paste is on.
    public private(set) var isBracketingPaste = false
    /// Lines that scrolled off the top, oldest first.
    public private(set) var scrolledOff: [String] = []

    /// An empty screen.
    public init(columns: Int, rows: Int) {
        self.columns = columns
        self.rows = rows
        cells = Array(repeating: Array(repeating: " ", count: columns), count: rows)
    }

    /// One row as text, without the blanks at its end.
    public func line(_ row: Int) -> String {
        guard cells.indices.contains(row) else { return "" }
        return Self.text(cells[row])
    }

    private static func text(_ cells: [String]) -> String {
        var text = cells.joined()
        while text.last == " " { text.removeLast() }
        return text
    }

    /// The row the cursor is on.
    public var cursorLine: String { line(row) }

    /// All rows.
    public var text: String { (0..<rows).map(line).joined(separator: "\n") }

    /// All rows and those that scrolled away.
    public var everything: String { (scrolledOff + (0..<rows).map(line)).joined(separator: "\n") }

    /// Changes the size; the content stays where it was.
    public mutating func resize(columns: Int, rows: Int) {
        for index in cells.indices {
            if cells[index].count > columns { cells[index].removeLast(cells[index].count - columns) }
            cells[index] += Array(repeating: " ", count: columns - cells[index].count)
        }
        while cells.count > rows { cells.removeFirst() }
        while cells.count < rows { cells.append(Array(repeating: " ", count: columns)) }
        self.columns = columns
        self.rows = rows
        row = min(row, rows - 1)
        column = min(column, columns - 1)
    }

    /// Shows bytes; an unfinished character waits for the rest.
    public mutating func feed(_ bytes: some Sequence<UInt8>) {
        pending += bytes
        var end = pending.count
        if let lead = pending.lastIndex(where: { $0 & 0xC0 != 0x80 }), pending[lead] >= 0xC0 {
            let length = pending[lead] >= 0xF0 ? 4 : pending[lead] >= 0xE0 ? 3 : 2
            if pending.count - lead < length { end = lead }
        }
        let text = String(decoding: pending[..<end], as: UTF8.self)
        pending.removeFirst(end)
        for scalar in text.unicodeScalars { feed(scalar) }
    }

    private mutating func feed(_ scalar: Unicode.Scalar) {
        if !escape.isEmpty || scalar == "\u{1B}" {
            escape.append(scalar)
            if escape.count >= 2, escape[1] == "[" {
                if escape.count > 2, (0x40...0x7E).contains(scalar.value) { control() }
            } else if escape.count == 2, scalar != "[" {
                escape = []
            }
            return
        }
        switch scalar {
        case "\r": column = 0
        case "\n": lineFeed()
        case "\u{8}": column = max(0, column - 1)
        case "\t": column = min(columns - 1, (column / 8 + 1) * 8)
        case "\u{7}": break
        default: print(scalar)
        }
    }

    private mutating func print(_ scalar: Unicode.Scalar) {
        let width = min(Self.width(scalar), columns)
        if width == 0 {
            guard column > 0 else { return }
            let place = cells[row][column - 1].isEmpty && column > 1 ? column - 2 : column - 1
            cells[row][place].unicodeScalars.append(scalar)
            return
        }
        if column + width > columns {
            column = 0
            lineFeed()
        }
        cells[row][column] = String(scalar)
        // On a screen of one column a wide character is cut.
        if width == 2, column + 1 < columns { cells[row][column + 1] = "" }
        column += width
    }

    private static func width(_ scalar: Unicode.Scalar) -> Int {
        switch scalar.value {
        case ..<0x20, 0x7F..<0xA0, 0x300...0x36F, 0x200B...0x200F, 0xFE00...0xFE0F: 0
        case 0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60,
            0xFFE0...0xFFE6, 0x1F300...0x1FAFF, 0x20000...0x3FFFD:
            2
        default: 1
        }
    }

    private mutating func lineFeed() {
        guard row == rows - 1 else {
            row += 1
            return
        }
        scrolledOff.append(Self.text(cells.removeFirst()))
        cells.append(Array(repeating: " ", count: columns))
    }

    private mutating func control() {
        let sequence = String(String.UnicodeScalarView(escape.dropFirst(2)))
        escape = []
        guard let final = sequence.last else { return }
        let parameters = sequence.dropLast().split(separator: ";", omittingEmptySubsequences: false).map {
            Int($0) ?? 0
        }
        let first = parameters.first ?? 0
        let count = max(1, first)
        switch final {
        case "A": row = max(0, row - count)
        case "B": row = min(rows - 1, row + count)
        case "C": column = min(columns - 1, column + count)
        case "D": column = max(0, column - count)
        case "G": column = min(columns - 1, count - 1)
        case "H":
            row = min(rows - 1, count - 1)
            column = parameters.count > 1 ? min(columns - 1, max(1, parameters[1]) - 1) : 0
        case "J": eraseDisplay(first)
        case "K":
            for place in (first == 0 ? column : 0)..<(first == 1 ? column + 1 : columns) { cells[row][place] = " " }
        case "P":
            cells[row].removeSubrange(column..<min(columns, column + count))
            cells[row] += Array(repeating: " ", count: columns - cells[row].count)
        case "@":
            cells[row].insert(contentsOf: Array(repeating: " ", count: count), at: column)
            cells[row].removeLast(cells[row].count - columns)
        case "h" where sequence == "?2004h": isBracketingPaste = true
        case "l" where sequence == "?2004l": isBracketingPaste = false
        default: break
        }
    }

    private mutating func eraseDisplay(_ part: Int) {
        if part == 2 {
            for index in cells.indices { cells[index] = Array(repeating: " ", count: columns) }
            return
        }
        for place in min(column, columns - 1)..<columns { cells[row][place] = " " }
        for index in cells.indices.dropFirst(row + 1) { cells[index] = Array(repeating: " ", count: columns) }
    }
}
