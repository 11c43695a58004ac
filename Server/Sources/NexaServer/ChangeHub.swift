import Synchronization

/// Tells reactors that something was committed, when they want to know.
///
/// A commit without subscribers costs one load; with waiting ones it costs each reactor one closure, however
/// many commits follow before that has run.
final class ChangeHub: Sendable {
    /// One reactor's wish to be told.
    final class Waker: Sendable {
        fileprivate let isArmed = Atomic<Bool>(false)
    }

    private struct Entry {
        var waker: Waker
        var wake: @Sendable () -> Void
    }

    private let isAnyArmed = Atomic<Bool>(false)
    private let entries = Mutex<[Entry]>([])

    /// Adds a reactor; `wake` is called once for each `arm`, by a thread that commits, so it must be quick.
    func add(_ waker: Waker, wake: @escaping @Sendable () -> Void) {
        entries.withLock { $0.append(Entry(waker: waker, wake: wake)) }
    }

    /// Asks to be told of the next commit.
    ///
    /// Commits that became visible before are not told: the caller looks for them after this call. The fences here
    /// and in `committed` see to it that one of the two notices.
    func arm(_ waker: Waker) {
        waker.isArmed.store(true, ordering: .relaxed)
        isAnyArmed.store(true, ordering: .sequentiallyConsistent)
        atomicMemoryFence(ordering: .sequentiallyConsistent)
    }

    /// Something became visible.
    func committed() {
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        guard isAnyArmed.load(ordering: .relaxed), isAnyArmed.exchange(false, ordering: .sequentiallyConsistent) else {
            return
        }
        let woken = entries.withLock { entries in
            entries.filter { entry in entry.waker.isArmed.exchange(false, ordering: .sequentiallyConsistent) }
        }
        for entry in woken { entry.wake() }
    }
}

/// Tells reactors that users were changed, which is rare.
final class UserChangeHub: Sendable {
    private let listeners = Mutex<[@Sendable () -> Void]>([])

    /// Adds a reactor; `changed` is called by the thread that made the change, so it must be quick.
    func add(_ changed: @escaping @Sendable () -> Void) {
        listeners.withLock { $0.append(changed) }
    }

    func changed() {
        for listener in listeners.withLock({ $0 }) { listener() }
    }
}
