import NexaValue

/// What is never written to the history file.
enum HistoryPolicy {
    /// Longer entries stay in memory.
    static let maximumEntryBytes = 64 << 10

    /// What is remembered of an entry; `nil`: nothing.
    static func remembered(_ entry: String, _ redaction: HistoryRedaction) -> String? {
        if mayRemember(entry) { return entry }
        guard redaction != .remove, let first = entry.unicodeScalars.first, first != " ", first != "\t",
            !secretCommands.contains(entry.prefix { !$0.isWhitespace }.lowercased())
        else { return nil }
        return redaction == .keep ? entry : masked(entry)
    }

    /// An entry whose strings are `***` once one of its keys names a secret: which string belongs to which key is
    /// only sure in text without typing errors.
    private static func masked(_ entry: String) -> String {
        var text: [UInt8] = []
        var quote: UInt8?
        var held: [UInt8] = []
        var isEscaped = false
        let bytes = [UInt8](entry.utf8)
        for (index, byte) in bytes.enumerated() {
            guard let open = quote else {
                text.append(byte)
                if byte == 0x22 || byte == 0x27 { quote = byte }
                continue
            }
            if isEscaped || byte != open {
                isEscaped = !isEscaped && byte == 0x5C
                held.append(byte)
                continue
            }
            let next = bytes[(index + 1)...].first { !NestingScan.isBlank($0) }
            text += next == 0x3A ? held : [UInt8]("***".utf8)
            text.append(byte)
            held = []
            quote = nil
        }
        if quote != nil { text += [UInt8]("***".utf8) }
        return String(decoding: text, as: UTF8.self)
    }

    /// Whether an entry may be remembered at all: not when it begins with a blank, and not when it holds a secret.
    static func mayRemember(_ entry: String) -> Bool {
        guard let first = entry.unicodeScalars.first, first != " ", first != "\t" else { return false }
        let word = entry.prefix { !$0.isWhitespace }.lowercased()
        return !secretCommands.contains(word) && !namesSecret(entry)
    }

    private static let secretCommands: Set<String> = ["passwd", "create_user", "\\connect"]
    private static let secretWords = ["pass", "secret", "token", "apikey", "api_key", "api-key", "credential"]

    /// Whether a key of the JSON in it says that its value is a secret.
    ///
    /// The text need not be valid JSON: a command with a typing error must not leak either. So every word or quoted
    /// text that a colon follows counts as a key.
    private static func namesSecret(_ entry: String) -> Bool {
        let lowered = entry.lowercased()
        guard secretWords.contains(where: lowered.contains) else { return false }
        let bytes = [UInt8](lowered.utf8)
        for (position, byte) in bytes.enumerated() where byte == 0x3A {
            var end = position
            while end > 0, NestingScan.isBlank(bytes[end - 1]) { end -= 1 }
            let key = bytes[..<end].reversed().prefix { !keyEnds.contains($0) }.reversed()
            let name = String(decoding: Array(key), as: UTF8.self)
            if secretWords.contains(where: name.contains) { return true }
        }
        return false
    }

    private static let keyEnds: Set<UInt8> = Set("{},[".utf8)
}

/// What becomes of commands that hold a secret (`\set HISTREDACT`).
enum HistoryRedaction: String {
    case remove, mask, keep
}
