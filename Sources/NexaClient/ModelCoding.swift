import NexaValue

/// How models become documents and documents become models.
///
/// It belongs to a collection: `database.collection("users", of: User.self, coding: .init(keys: .snakeCase))`.
/// Foundation's `Date`, `UUID` and `Data` are understood although the library does not link Foundation:
///
/// | property | stored as | also read from |
/// |---|---|---|
/// | `Date` | timestamp, or what `dates` says | timestamp, ISO 8601 text, seconds (or milliseconds) since 1970 |
/// | `UUID` | text, or 16 bytes | both |
/// | `Data`, `[UInt8]` | binary | binary, an array of numbers |
public struct ModelCoding: Sendable, Hashable {
    /// How the names of properties become names of fields.
    public enum Keys: Sendable, Hashable {
        /// As the `CodingKeys` say.
        case asDeclared
        /// `firstName` is stored as `first_name`, `userID` as `user_id`. Leading underscores stay.
        case snakeCase
    }

    /// How a `Date` is stored.
    public enum Dates: Sendable, Hashable {
        /// As a timestamp, to the nanosecond as far as `Date` goes. Compares with other timestamps.
        case timestamp
        /// As a floating point number of seconds since 1970.
        case secondsSince1970
        /// As a whole number of milliseconds since 1970, as JavaScript programs write it.
        case millisecondsSince1970
    }

    /// How a `UUID` is stored.
    public enum UUIDs: Sendable, Hashable {
        /// As upper-case text with hyphens.
        case text
        /// As 16 bytes.
        case bytes
    }

    /// How the names of properties become names of fields.
    public var keys: Keys
    /// How a `Date` is stored.
    public var dates: Dates
    /// How a `UUID` is stored.
    public var uuids: UUIDs

    /// Names as declared, timestamps, UUIDs as text.
    public static let standard = ModelCoding()

    /// Says what differs from the standard.
    public init(keys: Keys = .asDeclared, dates: Dates = .timestamp, uuids: UUIDs = .text) {
        self.keys = keys
        self.dates = dates
        self.uuids = uuids
    }

    /// Whether keys of this type are names of properties that are stored under another name. Those of a dictionary
    /// and of a free document are data, not names.
    func renames<Key: CodingKey>(_ type: Key.Type) -> Bool {
        guard keys != .asDeclared, type != PathKey.self else { return false }
        return String(reflecting: type) != "Swift._DictionaryCodingKey"
    }

    /// The field of a property.
    func field(_ key: String) -> String { keys == .asDeclared ? key : Self.snakeCase(key) }

    /// `userID` → `user_id`, `httpURL` → `http_url`, `_id` → `_id`.
    static func snakeCase(_ name: String) -> String {
        let letters = Array(name)
        var result = ""
        for (position, letter) in letters.enumerated() {
            guard letter.isUppercase else {
                result.append(letter)
                continue
            }
            let before = position > 0 ? letters[position - 1] : "_"
            let isWordStart = before.isLowercase || before.isNumber
            let endsAcronym = before.isUppercase && position + 1 < letters.count && letters[position + 1].isLowercase
            if isWordStart || endsAcronym { result.append("_") }
            result.append(letter.lowercased())
        }
        return result
    }
}

/// Types of Foundation that are stored as values of their own, recognised without linking Foundation.
enum FoundationType {
    case date, uuid, data

    /// What `Date` counts from, in seconds since 1970.
    static let referenceDate = 978_307_200.0

    /// The kind of a type; looks at the name only when size and alignment fit.
    @inline(__always) static func of<T>(_ type: T.Type) -> FoundationType? {
        switch (MemoryLayout<T>.size, MemoryLayout<T>.alignment) {
        case (8, 8), (16, 1), (16, 8): named(type)
        default: nil
        }
    }

    private static func named<T>(_ type: T.Type) -> FoundationType? {
        if type is any BinaryInteger.Type || type is any BinaryFloatingPoint.Type || type == String.self { return nil }
        return switch String(reflecting: type) {
        case "Foundation.Date", "FoundationEssentials.Date": .date
        case "Foundation.UUID", "FoundationEssentials.UUID": .uuid
        case "Foundation.Data", "FoundationEssentials.Data": .data
        default: nil
        }
    }
}

extension Timestamp {
    /// From seconds since 1970.
    init?(secondsSince1970 seconds: Double) {
        guard seconds.isFinite, seconds.magnitude < 1e17 else { return nil }
        var whole = seconds.rounded(.down)
        var nanoseconds = ((seconds - whole) * 1e9).rounded()
        if nanoseconds >= 1e9 {
            whole += 1
            nanoseconds = 0
        }
        self.init(seconds: Int64(whole), nanoseconds: UInt32(nanoseconds))
    }

    /// Seconds since 1970.
    var secondsSince1970: Double { Double(seconds) + Double(nanoseconds) / 1e9 }

    /// From ISO 8601 as NexaDB writes it: `2026-01-31T12:30:05.123456Z`; `T` may be a blank, the fraction may be
    /// absent, and the zone may be an offset or absent, which is UTC.
    init?(iso8601 text: String) {
        let bytes = Array(text.utf8)
        func number(_ start: Int, _ count: Int) -> Int? {
            guard start + count <= bytes.count else { return nil }
            var value = 0
            for byte in bytes[start..<start + count] {
                guard byte >= 0x30, byte <= 0x39 else { return nil }
                value = value * 10 + Int(byte - 0x30)
            }
            return value
        }
        guard bytes.count >= 19, bytes[4] == 0x2D, bytes[7] == 0x2D, bytes[10] == 0x54 || bytes[10] == 0x20,
            bytes[13] == 0x3A, bytes[16] == 0x3A, let year = number(0, 4), let month = number(5, 2),
            let day = number(8, 2), let hour = number(11, 2), let minute = number(14, 2), let second = number(17, 2),
            (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second < 61
        else { return nil }
        var position = 19
        var nanoseconds = 0
        if position < bytes.count, bytes[position] == 0x2E {
            position += 1
            var unit = 100_000_000
            while position < bytes.count, let digit = number(position, 1) {
                nanoseconds += digit * unit
                unit /= 10
                position += 1
            }
        }
        var offset = 0
        if position < bytes.count, bytes[position] == 0x2B || bytes[position] == 0x2D {
            guard let hours = number(position + 1, 2), position + 3 < bytes.count,
                let minutes = number(position + (bytes[position + 3] == 0x3A ? 4 : 3), 2)
            else { return nil }
            offset = (hours * 3600 + minutes * 60) * (bytes[position] == 0x2B ? 1 : -1)
            position += bytes[position + 3] == 0x3A ? 6 : 5
        } else if position < bytes.count, bytes[position] == 0x5A {
            position += 1
        }
        guard position == bytes.count else { return nil }
        // https://howardhinnant.github.io/date_algorithms.html#days_from_civil
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        let days = era * 146_097 + dayOfEra - 719_468
        self.init(
            seconds: Int64(days * 86_400 + hour * 3600 + minute * 60 + second - offset),
            nanoseconds: UInt32(nanoseconds))
    }
}
