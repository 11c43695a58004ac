/// A first-in, first-out queue in a circle: constant time at both ends, and no allocation in steady state.
struct Ring<Element> {
    private var storage: [Element?]
    private var head = 0
    private(set) var count = 0

    init(minimumCapacity: Int = 8) {
        var capacity = 8
        while capacity < minimumCapacity { capacity *= 2 }
        storage = Array(repeating: nil, count: capacity)
    }

    var isEmpty: Bool { count == 0 }

    /// The element so many places behind the first. The position must be below `count`.
    subscript(position: Int) -> Element {
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

    var first: Element? { count == 0 ? nil : self[0] }
    var last: Element? { count == 0 ? nil : self[count - 1] }

    mutating func append(_ element: Element) {
        if count == storage.count { grow() }
        storage[(head + count) & (storage.count - 1)] = element
        count += 1
    }

    mutating func popFirst() -> Element? {
        guard count > 0 else { return nil }
        let element = storage[head]
        storage[head] = nil
        head = (head + 1) & (storage.count - 1)
        count -= 1
        return element
    }

    mutating func popLast() -> Element? {
        guard count > 0 else { return nil }
        count -= 1
        let position = (head + count) & (storage.count - 1)
        defer { storage[position] = nil }
        return storage[position]
    }

    private mutating func grow() {
        var larger: [Element?] = []
        larger.reserveCapacity(storage.count * 2)
        for offset in 0..<count { larger.append(storage[(head + offset) & (storage.count - 1)]) }
        larger.append(contentsOf: repeatElement(nil, count: storage.count * 2 - count))
        storage = larger
        head = 0
    }
}

extension Ring: Sendable where Element: Sendable {}
