/// Base64 with padding (RFC 4648), as SCRAM writes it.
enum Base64 {
    private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            var word: UInt32 = 0
            for (index, byte) in group.enumerated() { word |= UInt32(byte) << (16 - 8 * index) }
            for position in 0..<4 {
                text.append(
                    position <= group.count ? digits[Int(word >> (18 - 6 * position)) & 63] : UInt8(ascii: "="))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// `nil` for anything but the one form that `encode` makes.
    static func decode(_ text: some StringProtocol) -> [UInt8]? {
        let text = Array(text.utf8)
        guard text.count % 4 == 0 else { return nil }
        var bytes: [UInt8] = []
        for start in stride(from: 0, to: text.count, by: 4) {
            let group = text[start..<start + 4]
            let padding = start + 4 == text.count ? group.reversed().prefix { $0 == UInt8(ascii: "=") }.count : 0
            guard padding <= 2 else { return nil }
            var word: UInt32 = 0
            for byte in group.dropLast(padding) {
                guard let digit = digits.firstIndex(of: byte) else { return nil }
                word = word << 6 | UInt32(digit)
            }
            word <<= UInt32(6 * padding)
            for position in 0..<3 - padding { bytes.append(UInt8(truncatingIfNeeded: word >> (16 - 8 * position))) }
        }
        return encode(bytes).utf8.elementsEqual(text) ? bytes : nil
    }
}
