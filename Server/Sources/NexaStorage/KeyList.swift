/// Keys one behind the other in one piece of memory.
public struct KeyList: Sendable {
    private(set) var bytes: [UInt8] = []
    private var ends: [Int] = []

    /// Creates an empty list.
    public init() {}

    /// How many keys there are.
    public var count: Int { ends.count }
    /// Whether there is none.
    public var isEmpty: Bool { ends.isEmpty }

    /// Adds a key at the end.
    public mutating func append(_ key: [UInt8]) {
        bytes.append(contentsOf: key)
        ends.append(bytes.count)
    }

    /// Removes all keys; their memory is kept for others.
    public mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        ends.removeAll(keepingCapacity: true)
    }

    /// Where a key lies in `bytes`.
    func range(_ number: Int) -> Range<Int> { (number == 0 ? 0 : ends[number - 1])..<ends[number] }

    /// The bytes of a key.
    public subscript(number: Int) -> RawSpan {
        @_lifetime(borrow self)
        get { bytes.span.bytes.extracting(range(number)) }
    }
}
