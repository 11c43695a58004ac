/// A first-in, first-out queue in a circle: constant time at both ends, and no allocation in steady state.
///
/// What every call passes through is `@inlinable` here and in the machines, so that the client's copies are specialised.
@usableFromInline struct Ring<Element> {
    @usableFromInline var storage: [Element?]
    @usableFromInline var head = 0
    @usableFromInline var count = 0

    init(minimumCapacity: Int = 8) {
        var capacity = 8
        while capacity < minimumCapacity { capacity *= 2 }
        storage = Array(repeating: nil, count: capacity)
    }

    @inlinable var isEmpty: Bool { count == 0 }

    /// The element so many places behind the first. The position must be below `count`.
    @inlinable subscript(position: Int) -> Element {
        get {
            precondition(position >= 0 && position < count)
            guard let element = storage[(head + position) & (storage.count - 1)] else {
                preconditionFailure("a place below count holds an element")
            }
            return element
        }
        set {
            precondition(position >= 0 && position < count)
            storage[(head + position) & (storage.count - 1)] = newValue
        }
    }

    @inlinable var first: Element? { count == 0 ? nil : self[0] }
    @inlinable var last: Element? { count == 0 ? nil : self[count - 1] }

    @inlinable mutating func append(_ element: Element) {
        if count == storage.count { grow() }
        storage[(head + count) & (storage.count - 1)] = element
        count += 1
    }

    @inlinable mutating func popFirst() -> Element? {
        guard count > 0 else { return nil }
        let element = storage[head]
        storage[head] = nil
        head = (head + 1) & (storage.count - 1)
        count -= 1
        return element
    }

    @inlinable mutating func popLast() -> Element? {
        guard count > 0 else { return nil }
        count -= 1
        let position = (head + count) & (storage.count - 1)
        defer { storage[position] = nil }
        return storage[position]
    }

    @usableFromInline mutating func grow() {
        var larger: [Element?] = []
        larger.reserveCapacity(storage.count * 2)
        for offset in 0..<count { larger.append(storage[(head + offset) & (storage.count - 1)]) }
        larger.append(contentsOf: repeatElement(nil, count: storage.count * 2 - count))
        storage = larger
        head = 0
    }
}

extension Ring: Sendable where Element: Sendable {}
