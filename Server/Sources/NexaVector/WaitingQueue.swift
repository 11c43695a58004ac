/// The slots that wait to be linked, first come first served. A search scans those that are not known to be linked.
struct WaitingQueue {
    /// Written before the queue's end passes an entry, and never again: whoever knows of an entry may read it.
    fileprivate final class Chunk {
        static let capacity = 1024
        let slots = UnsafeMutablePointer<UInt32>.allocate(capacity: Chunk.capacity)
        deinit { slots.deallocate() }
    }

    /// The entries of a moment.
    struct Snapshot {
        fileprivate var chunks: [Chunk] = []
        fileprivate var first = 0
        fileprivate var range = 0..<0

        var isEmpty: Bool { range.isEmpty }

        func forEach(_ body: (UInt32) -> Void) {
            for position in range {
                body(chunks[(position - first) / Chunk.capacity].slots[(position - first) % Chunk.capacity])
            }
        }
    }

    private var chunks: [Chunk] = []
    /// The position of the first entry of the first chunk.
    private var first = 0
    private var claimed = 0
    private var end = 0
    private var inProgress: [Int] = []

    /// How many entries were not claimed.
    var count: Int { end - claimed }

    mutating func append(_ slot: UInt32) {
        if end - first == chunks.count * Chunk.capacity { chunks.append(Chunk()) }
        chunks[(end - first) / Chunk.capacity].slots[(end - first) % Chunk.capacity] = slot
        end += 1
    }

    /// Takes the next entry, which stays in snapshots until `finish`.
    mutating func claim() -> (position: Int, slot: UInt32)? {
        guard claimed < end else { return nil }
        let position = claimed
        claimed += 1
        inProgress.append(position)
        return (position, chunks[(position - first) / Chunk.capacity].slots[(position - first) % Chunk.capacity])
    }

    /// Lets a claimed entry go.
    mutating func finish(_ position: Int) {
        inProgress.removeAll { $0 == position }
        let done = inProgress.min() ?? claimed
        while done - first >= Chunk.capacity {
            chunks.removeFirst()
            first += Chunk.capacity
        }
    }

    /// What a search that begins now has to scan.
    func snapshot() -> Snapshot {
        let done = inProgress.min() ?? claimed
        return done == end ? Snapshot() : Snapshot(chunks: chunks, first: first, range: done..<end)
    }
}
