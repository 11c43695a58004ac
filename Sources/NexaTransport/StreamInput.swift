/// The bytes of a stream that have arrived and were not consumed yet.
///
/// Bytes are read into the buffer that all connections of a reactor share, and looked at there. Memory of
/// its own is needed only while a message is incomplete: it starts at 4 KiB, doubles with what arrives
/// (whatever a length field announces), and is given back when everything was consumed.
///
/// One round is `fill`, `withBytes`, `consume`; nothing else may read on the reactor between them.
public struct StreamInput {
    static let initialCapacity = 4 << 10

    private var buffer: [UInt8] = []
    private var start = 0
    private var end = 0
    /// Bytes of this round in the shared buffer.
    private var shared = 0
    /// The last `fill` took all that the socket had.
    public private(set) var wasShort = false

    /// Nothing has arrived yet.
    public init() {}

    /// Bytes that arrived and were not consumed.
    public var count: Int { shared + end - start }

    /// Reads once.
    public mutating func fill(from socket: StreamSocket, on reactor: Reactor) -> TransferResult {
        fill(on: reactor) { buffer in
            let result = socket.read(into: buffer)
            return if case .moved(buffer.count) = result { (result, true) } else { (result, false) }
        }
    }

    /// Reads once through a filter.
    public mutating func fill(from socket: FilteredSocket, on reactor: Reactor) -> TransferResult {
        fill(on: reactor) { socket.read(into: $0) }
    }

    @inline(__always) private mutating func fill(
        on reactor: Reactor, _ read: (UnsafeMutableRawBufferPointer) -> (result: TransferResult, mayHaveMore: Bool)
    ) -> TransferResult {
        reactor.preconditionOnThread()
        assert(shared == 0, "consume before the next fill")
        let (result, mayHaveMore): (TransferResult, Bool)
        if start == end {
            (result, mayHaveMore) = read(reactor.scratch)
            if case .moved(let count) = result { shared = count }
        } else {
            makeRoom()
            (result, mayHaveMore) = buffer.withUnsafeMutableBytes {
                read(UnsafeMutableRawBufferPointer(rebasing: $0[end...]))
            }
            if case .moved(let count) = result { end += count }
        }
        if case .moved = result { wasShort = !mayHaveMore }
        return result
    }

    /// Everything that was not consumed yet.
    public func withBytes<R>(on reactor: Reactor, _ body: (RawSpan) -> R) -> R {
        if shared > 0 {
            return body(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(reactor.scratch)[..<shared]).bytes)
        }
        return buffer.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[start..<end]).bytes) }
    }

    /// Forgets the first `consumed` bytes and keeps the others.
    public mutating func consume(_ consumed: Int, on reactor: Reactor) {
        precondition(consumed >= 0 && consumed <= count, "a handler consumed more than it was given")
        if shared > 0 {
            let rest = UnsafeRawBufferPointer(reactor.scratch)[consumed..<shared]
            shared = 0
            guard !rest.isEmpty else { return }
            var capacity = Self.initialCapacity
            while capacity < rest.count { capacity *= 2 }
            buffer = Self.buffer(capacity: capacity, beginningWith: UnsafeRawBufferPointer(rebasing: rest))
            (start, end) = (0, rest.count)
            return
        }
        start += consumed
        if start == end { removeAll() }
    }

    /// Forgets everything and gives the memory back.
    public mutating func removeAll() {
        buffer = []
        (start, end, shared) = (0, 0, 0)
    }

    /// Makes room behind the unconsumed bytes: by moving them down, or by doubling the buffer.
    private mutating func makeRoom() {
        guard buffer.count - end < Self.initialCapacity / 4 else { return }
        let pending = end - start
        if start > 0 && pending <= buffer.count / 2 {
            buffer.withUnsafeMutableBytes { raw in
                let source = UnsafeRawBufferPointer(rebasing: raw[start..<end])
                UnsafeMutableRawBufferPointer(rebasing: raw[..<pending]).copyMemory(from: source)
            }
        } else {
            let capacity = max(Self.initialCapacity, buffer.count * 2)
            buffer = buffer.withUnsafeBytes {
                Self.buffer(capacity: capacity, beginningWith: UnsafeRawBufferPointer(rebasing: $0[start..<end]))
            }
        }
        (start, end) = (0, pending)
    }

    private static func buffer(capacity: Int, beginningWith bytes: UnsafeRawBufferPointer) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: capacity) { buffer, initialized in
            buffer.initialize(repeating: 0)
            UnsafeMutableRawBufferPointer(buffer).copyMemory(from: bytes)
            initialized = capacity
        }
    }
}
