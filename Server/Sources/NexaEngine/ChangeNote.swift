import NexaStorage

/// What the log says about a commit beside the changed keys and values: enough to tell of each change later.
///
/// One note holds for the operations behind it, up to the next note: a kind byte, microseconds since 1970
/// (8 bytes, little-endian), the names of the database and of the collection with a length byte each, and for an
/// update the fields that were sent, as a map, and the names of those that are gone, as an array, if there are any.
struct ChangeNote {
    var kind: ChangeKind
    var microseconds: Int64
    /// Where the names lie in the note.
    var names: Range<Int>

    static let headSize = 9

    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= Self.headSize + 2, let kind = ChangeKind(number: bytes[0]) else { return nil }
        self.kind = kind
        microseconds = Int64(littleEndian: bytes.loadUnaligned(fromByteOffset: 1, as: Int64.self))
        var end = Self.headSize
        for _ in 0..<2 {
            guard end < bytes.count else { return nil }
            end += 1 + Int(bytes[end])
        }
        guard end <= bytes.count else { return nil }
        names = Self.headSize..<end
    }

    /// The names in the form of a note. They are within `EngineLimits.maximumNameBytes`, so a byte tells their length.
    static func names(_ database: String, _ collection: String) -> [UInt8] {
        [database, collection].flatMap { name in
            let bytes = name.utf8.prefix(255)
            return [UInt8(bytes.count)] + bytes
        }
    }

    /// Takes names apart again.
    static func split(_ names: UnsafeRawBufferPointer) -> (database: String, collection: String)? {
        guard let first = names.first, names.count >= Int(first) + 2 else { return nil }
        let middle = 1 + Int(first)
        guard names.count == middle + 1 + Int(names[middle]) else { return nil }
        return (
            String(decoding: names[1..<middle], as: UTF8.self), String(decoding: names[(middle + 1)...], as: UTF8.self)
        )
    }
}

extension WriteBatch {
    /// Says what the operations behind are.
    mutating func note(_ kind: ChangeKind, in collection: Collection, updates: [UInt8] = []) {
        note(kind, names: collection.noteNames, updates)
    }

    /// Says that a database is dropped.
    mutating func note(dropOf database: String) {
        note(.dropDatabase, names: ChangeNote.names(database, ""), [])
    }

    private mutating func note(_ kind: ChangeKind, names: [UInt8], _ rest: [UInt8]) {
        let now = WallClock.now()
        let microseconds = Int64(now.seconds) * 1_000_000 + Int64(now.nanoseconds / 1000)
        note(byteCount: ChangeNote.headSize + names.count + rest.count) { bytes in
            bytes.append(kind.number)
            withUnsafeBytes(of: microseconds.littleEndian) { bytes.append(contentsOf: $0) }
            bytes.append(contentsOf: names)
            bytes.append(contentsOf: rest)
        }
    }
}
