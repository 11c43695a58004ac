import Glibc

/// A value that is queued but not committed yet.
struct PendingDocument {
    /// The encoded document; `nil` when it is being deleted.
    var value: [UInt8]?
    /// Tells this change from a later one of the same key.
    var version: UInt64
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
    private var pending: [[UInt8]: PendingDocument] = [:]
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
    func pending(_ key: [UInt8]) -> PendingDocument? { pending.isEmpty ? nil : pending[key] }

    /// Notes a change that is about to be queued and returns its version. The latch is held.
    func note(_ key: [UInt8], _ value: [UInt8]?) -> UInt64 {
        version += 1
        pending[key] = PendingDocument(value: value, version: version)
        return version
    }

    /// Forgets a change unless a later one has taken its place. The latch is held.
    func forget(_ key: [UInt8], version: UInt64) {
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
    func index(of key: [UInt8]) -> Int {
        // FNV-1a; nothing depends on it being hard to predict.
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in key { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return Int(truncatingIfNeeded: hash ^ hash >> 32) & (Self.count - 1)
    }

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
