import Glibc

/// A value that is queued but not committed yet.
struct PendingDocument {
    /// The encoded document; `nil` when it is being deleted.
    var value: [UInt8]?
    /// Tells this change from a later one of the same key.
    var version: UInt64
}

/// A key with its hash, which says where its latch is and where it lies in the table of that: computed once.
struct LatchKey: Hashable, Sendable {
    let bytes: [UInt8]
    let hash: UInt64

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        hash = bytes.withUnsafeBytes { Self.hash($0) }
    }

    static func == (one: LatchKey, other: LatchKey) -> Bool { one.hash == other.hash && one.bytes == other.bytes }
    func hash(into hasher: inout Hasher) { hasher.combine(hash) }

    /// Of this process, so that nobody can choose keys that meet.
    private static let seed = UInt64.random(in: .min ... .max)
    private static let first: UInt64 = 0x9E37_79B9_7F4A_7C15
    private static let second: UInt64 = 0xD6E8_FEB8_6659_FD93

    /// Folded products of eight bytes each, as in wyhash (Wang Yi).
    private static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var hash = seed ^ fold(UInt64(bytes.count) ^ first, seed | 1)
        var offset = 0
        while bytes.count - offset >= 8 {
            hash = fold(bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self) ^ hash, second ^ seed)
            offset += 8
        }
        var rest: UInt64 = 0
        for byte in bytes[offset...] { rest = rest << 8 | UInt64(byte) }
        return fold(rest ^ hash, first ^ seed)
    }

    private static func fold(_ one: UInt64, _ other: UInt64) -> UInt64 {
        let product = one.multipliedFullWidth(by: other)
        return product.high ^ product.low
    }
}

/// One of the latches under which documents are read, modified and queued.
///
/// Whoever changes a document holds the latch of its key from the look at the old value until the new one is in
/// the commit queue. What is queued stays in `pending` until it is committed, so that the next change of
/// the same document starts from it without waiting for the device.
///
/// `@unchecked Sendable`: `pending` and `version` are only touched between `lock` and `unlock`.
final class Latch: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private var pending: [LatchKey: PendingDocument] = [:]
    private var version: UInt64 = 0

    init() {
        mutex = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    func lock() { pthread_mutex_lock(mutex) }
    func unlock() { pthread_mutex_unlock(mutex) }

    /// The queued change of a key, if there is one. The latch is held.
    func pending(_ key: LatchKey) -> PendingDocument? { pending.isEmpty ? nil : pending[key] }

    /// The queued change of a key, if there is one. The latch is held.
    func pending(_ key: [UInt8]) -> PendingDocument? { pending.isEmpty ? nil : pending[LatchKey(key)] }

    /// Notes a change that is about to be queued and returns its version. The latch is held.
    func note(_ key: LatchKey, _ value: [UInt8]?) -> UInt64 {
        version += 1
        pending[key] = PendingDocument(value: value, version: version)
        return version
    }

    /// Forgets a change unless a later one has taken its place. The latch is held.
    func forget(_ key: LatchKey, version: UInt64) {
        guard let place = pending.index(forKey: key), pending[place].value.version == version else { return }
        pending.remove(at: place)
    }
}

/// The latches of an engine. A key always has the same one.
struct LatchTable: Sendable {
    /// The thread sanitizer follows at most 128 locks of a thread, and a drop holds all of these.
    private static let count = 64
    private let latches = (0..<Self.count).map { _ in Latch() }

    /// The number of the latch of a key.
    func index(of key: LatchKey) -> Int { Int(truncatingIfNeeded: key.hash) & (Self.count - 1) }
    func index(of key: [UInt8]) -> Int { index(of: LatchKey(key)) }

    func latch(of key: LatchKey) -> Latch { latches[index(of: key)] }
    func latch(of key: [UInt8]) -> Latch { latches[index(of: key)] }

    /// Runs `body` holding several latches; they are always taken in the order of their numbers.
    func holding<Result, Failure: Error>(
        _ set: LatchSet, _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        var rest = set.bits
        while rest != 0 {
            latches[rest.trailingZeroBitCount].lock()
            rest &= rest - 1
        }
        defer {
            rest = set.bits
            while rest != 0 {
                latches[rest.trailingZeroBitCount].unlock()
                rest &= rest - 1
            }
        }
        return try body()
    }

    /// Runs `body` while no document can change.
    func holdingAll<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        try holding(LatchSet(bits: .max), body)
    }
}

/// Some of the latches of a table, a bit for each.
struct LatchSet: Sendable {
    fileprivate(set) var bits: UInt64 = 0

    var isEmpty: Bool { bits == 0 }
    mutating func insert(_ index: Int) { bits |= 1 << UInt64(index) }
    func isSuperset(of other: LatchSet) -> Bool { other.bits & ~bits == 0 }
    mutating func formUnion(_ other: LatchSet) { bits |= other.bits }
}
