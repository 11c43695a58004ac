/// What can happen to documents.
public enum ChangeKind: String, Sendable, Hashable, CaseIterable {
    case insert
    case update
    case delete
    case dropCollection
    case dropDatabase

    /// As it is stored; never changes meaning.
    var number: UInt8 {
        switch self {
        case .insert: 1
        case .update: 2
        case .delete: 3
        case .dropCollection: 4
        case .dropDatabase: 5
        }
    }

    init?(number: UInt8) {
        guard let kind = Self.allCases.first(where: { $0.number == number }) else { return nil }
        self = kind
    }
}

/// A place in the order of all changes of a data directory, to go on from later.
public struct ChangePosition: Sendable, Hashable {
    /// Which opening of the data directory made the commit: sequences alone are not unique once a backup was
    /// restored or a crash took commits.
    var run: UInt64
    var sequence: UInt64
    /// The number of the change in its commit; `max` behind the last one.
    var index: UInt32

    private static let version: UInt8 = 1

    /// The position as bytes: a version byte and three big-endian numbers.
    public var bytes: [UInt8] {
        var bytes: [UInt8] = [Self.version]
        bytes.reserveCapacity(21)
        withUnsafeBytes(of: run.bigEndian) { bytes.append(contentsOf: $0) }
        withUnsafeBytes(of: sequence.bigEndian) { bytes.append(contentsOf: $0) }
        withUnsafeBytes(of: index.bigEndian) { bytes.append(contentsOf: $0) }
        return bytes
    }

    init(run: UInt64, sequence: UInt64, index: UInt32) {
        self.run = run
        self.sequence = sequence
        self.index = index
    }

    /// Reads a position; `nil` for bytes that are none.
    public init?(bytes: [UInt8]) {
        guard bytes.count == 21, bytes[0] == Self.version else { return nil }
        func number(_ range: Range<Int>) -> UInt64 { bytes[range].reduce(0) { $0 << 8 | UInt64($1) } }
        self.init(run: number(1..<9), sequence: number(9..<17), index: UInt32(number(17..<21)))
    }
}

/// One change, read in place: it lasts as long as the call that gets it.
public struct ChangeEvent: ~Escapable {
    /// What happened.
    public let kind: ChangeKind
    /// The database.
    public let database: String
    /// The collection; empty when a database was dropped.
    public let collection: String
    /// The key of the document in the log; see `id`.
    let key: UnsafeRawBufferPointer
    /// The encoded document after the change; empty for a deletion and a drop.
    public let document: RawSpan
    /// The encoded fields that an update set; empty for anything else.
    public let updates: RawSpan
    /// The names of the fields that an update removed, as an encoded array; empty when there are none.
    public let removed: RawSpan
    /// When it happened, in microseconds since 1970.
    public let microseconds: Int64
    /// The place of this change, to go on behind it.
    public let position: ChangePosition

    @_lifetime(copy document, copy updates, copy removed)
    init(
        kind: ChangeKind, database: String, collection: String, key: UnsafeRawBufferPointer, document: RawSpan,
        updates: RawSpan, removed: RawSpan, microseconds: Int64, position: ChangePosition
    ) {
        self.kind = kind
        self.database = database
        self.collection = collection
        self.key = key
        self.document = document
        self.updates = updates
        self.removed = removed
        self.microseconds = microseconds
        self.position = position
    }
}
