import Synchronization

/// What the clients of one test hold: a test fails when something of it is left at its end. Nothing is
/// counted, and nothing costs, in a release build.
final class Ledger: Sendable {
    /// The ledger of clients that are made in this task.
    @TaskLocal static var current: Ledger?

    enum Item: String, CaseIterable { case drivers, connections, sockets, calls, leases }

    private let counts = Mutex([Item: Int]())

    func count(_ item: Item, _ change: Int) {
        counts.withLock { $0[item, default: 0] += change }
    }

    /// What is left, such as `calls: 1`; empty when nothing is.
    var remains: [String] {
        counts.withLock { counts in
            Item.allCases.compactMap { item in counts[item].flatMap { $0 == 0 ? nil : "\(item): \($0)" } }
        }
    }
}

extension Telemetry {
    @inline(__always)
    func count(_ item: Ledger.Item, _ change: Int) {
        #if DEBUG
            ledger?.count(item, change)
        #endif
    }
}
