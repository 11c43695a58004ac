/// How safe a write must be before its reply counts.
enum Durability: Sendable {
    /// On the disk. NexaDB `sync`, Redis `appendfsync always`, PostgreSQL `synchronous_commit on`.
    case sync
    /// With the operating system. NexaDB `os`, Redis `appendfsync everysec`, PostgreSQL `synchronous_commit off`.
    case os
}

/// One kind of work, the same for every system.
enum Operation: String, CaseIterable, Sendable {
    /// Fills the collection of films; not measured.
    case load
    /// One film by its id.
    case read
    /// All films of a year; no system has an index on it.
    case query
    case insertOS = "insert-os"
    case insertSync = "insert-sync"
    /// Sets one number in a film.
    case updateOS = "update-os"
    case updateSync = "update-sync"

    /// What the comparison consists of, in the order in which it runs: whatever leaves old versions of
    /// films behind comes last, so that the scans of `query` meet a freshly loaded collection.
    static let measured = allCases.filter { $0 != .load }

    var durability: Durability? {
        switch self {
        case .read, .query: nil
        case .load, .insertOS, .updateOS: .os
        case .insertSync, .updateSync: .sync
        }
    }

    var isInsert: Bool { self == .insertOS || self == .insertSync }

    /// Requests in flight on one connection at most. A scan is so much work that 32 of them on each of 16
    /// connections would only measure the queue.
    var maximumDepth: Int { self == .query ? 4 : .max }
}

/// A combination that is measured.
struct Cell: Hashable, Sendable {
    var operation: Operation
    var connections: Int
    /// Requests in flight on each connection; 1 is not pipelined.
    var depth: Int
}

/// Why the comparison, or a part of it, cannot go on; the message says what to do where something can be done.
package struct BenchmarkError: Error, CustomStringConvertible {
    package var message: String

    package init(_ message: String) { self.message = message }

    package var description: String { message }
}
