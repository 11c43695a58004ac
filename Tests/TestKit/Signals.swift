import Synchronization

/// Tells other threads that something has happened.
public final class Flag: Sendable {
    private let value = Atomic<Bool>(false)

    /// A flag that is not set.
    public init() {}

    /// Whether it has happened.
    public var isSet: Bool { value.load(ordering: .acquiring) }

    /// Says that it has.
    public func set() { value.store(true, ordering: .releasing) }
}

/// Collects what is reported from any thread.
public final class Collector<Element: Sendable>: Sendable {
    private let elements = Mutex<[Element]>([])

    /// An empty collection.
    public init() {}

    /// Reports one more.
    public func add(_ element: Element) { elements.withLock { $0.append(element) } }

    /// What was reported until now, in the order of arrival.
    public var all: [Element] { elements.withLock { $0 } }

    /// How many were reported until now.
    public var count: Int { elements.withLock { $0.count } }
}

/// A value that is set once and can be waited for.
public final class Promise<Value: Sendable>: Sendable {
    private let state = Mutex<(value: Value?, waiters: [CheckedContinuation<Value, Never>])>((nil, []))

    /// A promise without a value.
    public init() {}

    /// Sets the value and wakes everybody who waits; later values are ignored.
    public func fulfil(_ value: Value) {
        let waiters = state.withLock { state -> [CheckedContinuation<Value, Never>] in
            guard state.value == nil else { return [] }
            state.value = value
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume(returning: value) }
    }

    /// The value, as soon as there is one.
    public var value: Value {
        get async {
            await withCheckedContinuation { continuation in
                let value = state.withLock { state -> Value? in
                    if state.value == nil { state.waiters.append(continuation) }
                    return state.value
                }
                if let value { continuation.resume(returning: value) }
            }
        }
    }

    /// Whether there is a value.
    public var isFulfilled: Bool { state.withLock { $0.value != nil } }
}
