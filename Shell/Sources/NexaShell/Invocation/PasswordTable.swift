/// The passwords of a file such as `~/.nexapass`: lines `host:port:database:user:password`, or just one password.
///
/// In the first four fields `*` is anything; `\:` and `\\` stand for `:` and `\`. `#` begins a comment. The first line
/// that fits counts.
enum PasswordTable {
    /// Who wants in, and where.
    struct Key: Sendable, Equatable {
        var host: String
        var port: String
        var database: String
        var user: String
    }

    /// The password of a text; `nil` when no line fits.
    ///
    /// - Parameter isSecretFile: whether the file may hold one password and nothing else, also one with colons in it, as
    ///   secrets of containers do.
    static func password(in text: String, for key: Key, isSecretFile: Bool) -> String? {
        let lines = text.split(whereSeparator: \.isNewline).map(String.init)
        let entries = lines.filter { !$0.hasPrefix("#") }
        if isSecretFile, lines.count <= 1 || entries.contains(where: { fields($0).count < 5 }) {
            return lines.first ?? ""
        }
        if entries.count == 1, fields(entries[0]).count < 5 { return entries[0] }
        for entry in entries {
            let fields = fields(entry)
            guard fields.count == 5 else { continue }
            let wanted = [key.host, key.port, key.database, key.user]
            if zip(fields, wanted).allSatisfy({ $0 == "*" || $0 == $1 }) { return fields[4] }
        }
        return nil
    }

    /// At most five fields: further colons belong to the password.
    private static func fields(_ line: String) -> [String] {
        var fields = [""]
        var isEscaped = false
        for character in line {
            if isEscaped || (character != "\\" && (character != ":" || fields.count == 5)) {
                if isEscaped, character != ":", character != "\\" { fields[fields.count - 1].append("\\") }
                fields[fields.count - 1].append(character)
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else {
                fields.append("")
            }
        }
        if isEscaped { fields[fields.count - 1].append("\\") }
        return fields
    }
}
