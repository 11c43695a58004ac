/// The text of a history file: rustyline's `#V2` form, which NexaDB's earlier shells wrote and read.
///
/// The first line is `#V2`, then one entry per line, with line feeds as `\n` and backslashes as `\\`. Files without that
/// line are read too: plain lines, and libedit's own `_HiStOrY_V2_` form with its `\040` escapes.
enum HistoryFormat {
    static let header = "#V2"
    private static let libeditHeader = "_HiStOrY_V2_"

    /// One entry as a line, without its end.
    static func escape(_ entry: String) -> String {
        var text = ""
        for scalar in entry.unicodeScalars {
            switch scalar {
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }

    /// The entries of a file, oldest first; bytes that are not UTF-8 become U+FFFD.
    static func entries(of bytes: [UInt8]) -> [String] {
        let lines = bytes.split(separator: 0x0A).map { String(decoding: $0, as: UTF8.self) }
        switch lines.first {
        case header: return lines.dropFirst().map(unescape)
        case libeditHeader: return lines.dropFirst().map(unescapeLibedit)
        default: return lines
        }
    }

    private static func unescape(_ line: String) -> String {
        var text = ""
        var isEscaped = false
        for scalar in line.unicodeScalars {
            if isEscaped {
                text.unicodeScalars.append(scalar == "n" ? "\n" : scalar)
                isEscaped = false
            } else if scalar == "\\" {
                isEscaped = true
            } else {
                text.unicodeScalars.append(scalar)
            }
        }
        return text
    }

    /// `\ooo` is a byte in octal digits; any other escaped byte stands for itself.
    private static func unescapeLibedit(_ line: String) -> String {
        let source = [UInt8](line.utf8)
        var bytes: [UInt8] = []
        var position = 0
        while position < source.count {
            guard source[position] == 0x5C else {
                bytes.append(source[position])
                position += 1
                continue
            }
            let digits = source[(position + 1)...].prefix(3)
            if digits.count == 3, digits.allSatisfy({ (0x30...0x37).contains($0) }) {
                bytes.append(digits.reduce(0) { $0 &<< 3 | ($1 & 7) })
                position += 4
            } else {
                if position + 1 < source.count { bytes.append(source[position + 1]) }
                position += 2
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
