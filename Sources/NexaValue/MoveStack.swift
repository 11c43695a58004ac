/// A stack whose top elements can leave it together, as an array, without being copied.
///
/// A parser collects the elements of all open containers in one such stack: closing a container makes one
/// allocation of the exact size and touches no reference count.
struct MoveStack<Element>: ~Copyable {
    private var base: UnsafeMutablePointer<Element>
    private var capacity: Int
    private(set) var count = 0

    init(capacity: Int = 16) {
        self.capacity = capacity
        base = .allocate(capacity: capacity)
    }

    deinit {
        base.deinitialize(count: count)
        base.deallocate()
    }

    /// The element pushed last. The stack must not be empty.
    var top: Element {
        _read {
            precondition(count > 0)
            yield base[count &- 1]
        }
        _modify {
            precondition(count > 0)
            yield &base[count &- 1]
        }
    }

    @inline(__always) mutating func push(_ element: consuming Element) {
        if count == capacity { grow() }
        (base + count).initialize(to: element)
        count &+= 1
    }

    @inline(never) private mutating func grow() {
        let larger = UnsafeMutablePointer<Element>.allocate(capacity: capacity * 2)
        larger.moveInitialize(from: base, count: count)
        base.deallocate()
        base = larger
        capacity *= 2
    }

    /// Takes the elements from position `start` on.
    mutating func moveTail(from start: Int) -> [Element] {
        precondition(start >= 0 && start <= count)
        let tail = count - start
        guard tail > 0 else { return [] }
        let source = base + start
        count = start
        return Array(unsafeUninitializedCapacity: tail) { buffer, initialized in
            buffer.baseAddress?.moveInitialize(from: source, count: tail)
            initialized = tail
        }
    }
}
