/// Colours for indented JSON: keys, text, numbers, booleans and null apart.
enum JSONColours {
    /// The parameters of the escape sequences; the keys keep the cyan of the original shell.
    private enum Colour: String {
        case key = "36"
        case text = "32"
        case number = "33"
        case boolean = "35"
        case null = "2"
    }

    /// Text that the encoder wrote, coloured token by token. Anything else passes as it is.
    static func coloured(_ json: String) -> String {
        let bytes = Array(json.utf8)
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count * 2)
        var position = 0
        while position < bytes.count {
            let start = position
            let colour: Colour?
            switch bytes[position] {
            case 0x22:
                position = endOfText(bytes, from: position)
                colour = position < bytes.count && bytes[position] == 0x3A ? .key : .text
            case 0x2D, 0x30...0x39:
                position = bytes[position...].firstIndex { !isWord($0) } ?? bytes.count
                colour = .number
            case 0x74, 0x66, 0x6E:
                let isNull = bytes[position] == 0x6E
                position = bytes[position...].firstIndex { !isWord($0) } ?? bytes.count
                colour = isNull ? .null : .boolean
            default:
                position += 1
                colour = nil
            }
            if let colour { result += "\u{1B}[\(colour.rawValue)m".utf8 }
            result += bytes[start..<position]
            if colour != nil { result += "\u{1B}[0m".utf8 }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// Letters, digits, signs and the point of a number.
    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2B, 0x2D, 0x2E: true
        default: false
        }
    }

    private static func endOfText(_ bytes: [UInt8], from start: Int) -> Int {
        var position = start + 1
        while position < bytes.count, bytes[position] != 0x22 {
            position += bytes[position] == 0x5C ? 2 : 1
        }
        return min(bytes.count, position + 1)
    }
}
