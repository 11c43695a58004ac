/// The rules for names, in one place.
enum Names {
    /// Refuses a name that is not 1 to 120 bytes of UTF-8 without control characters, `/`, `\`, `$`, or a dot in front.
    static func check(_ name: String, of what: String) throws(EngineError) {
        func refuse(_ reason: String) -> EngineError {
            EngineError(.badRequest, "Invalid \(what) name '\(name.prefix(200))': \(reason)")
        }
        guard !name.isEmpty else { throw EngineError(.badRequest, "Invalid \(what) name: it is empty") }
        guard name.utf8.count <= EngineLimits.maximumNameBytes else {
            throw refuse("it is longer than \(EngineLimits.maximumNameBytes) bytes")
        }
        guard name.utf8.first != UInt8(ascii: ".") else { throw refuse("it begins with a dot") }
        for scalar in name.unicodeScalars {
            switch scalar.value {
            case 0...0x1F, 0x7F...0x9F: throw refuse("it holds a control character")
            case 0x2F, 0x5C, 0x24: throw refuse("it holds '\(scalar)'")
            default: break
            }
        }
    }
}
