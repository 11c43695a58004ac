import Glibc
import NexaQuery

/// Sorts documents that may not fit into memory: when they outgrow it, sorted runs go to a file, and are merged at the
/// end. Equal documents stay in the order in which they came.
final class SpillingSorter {
    private struct Entry {
        var key: [UInt8]
        var document: [UInt8]
    }

    private let maximumBytes: Int
    private let directory: String
    private var entries: [Entry] = []
    private var bytes = 0
    private var runs: [SortedRun] = []
    private var position = 0
    /// The runs in a heap, the one with the next document on top; used while merging.
    private var heap: [Int] = []

    /// Whose files they are, for errors.
    private let name: String

    /// - Parameters:
    ///   - maximumBytes: how much is kept in memory.
    ///   - directory: where files are made; they have no names, so that nothing is left after a crash.
    ///   - name: whose files they are, for errors.
    init(maximumBytes: Int, directory: String, name: String = "The sort") {
        self.maximumBytes = maximumBytes
        self.directory = directory
        self.name = name
    }

    /// How many files were needed.
    var runCount: Int { runs.count }

    func add(_ key: [UInt8], _ document: [UInt8]) throws(EngineError) {
        entries.append(Entry(key: key, document: document))
        bytes += key.count + document.count + 96
        if bytes > maximumBytes { try spill() }
    }

    private func sort() {
        // Swift's sort is stable.
        entries.sort { $0.key.span.bytes.precedes($1.key.span.bytes) }
    }

    /// A sort of more runs is refused: each has a file and a buffer while they are merged.
    static let maximumRuns = 256

    private func spill() throws(EngineError) {
        guard runs.count < Self.maximumRuns else {
            throw EngineError(
                .limit, "\(name) is larger than \(Self.maximumRuns) times its memory of \(maximumBytes) bytes",
                advice: "Make an index for the order, or give the query a limit or a narrower filter")
        }
        sort()
        let run = try SortedRun(in: directory)
        for entry in entries { try run.write(entry.key, entry.document) }
        try run.rewind()
        runs.append(run)
        entries = []
        bytes = 0
    }

    /// Everything was added.
    func finish() throws(EngineError) {
        guard !runs.isEmpty else { return sort() }
        if !entries.isEmpty { try spill() }
        for index in runs.indices {
            try runs[index].advance()
            if runs[index].key != nil { push(index) }
        }
    }

    /// The next document in order; `nil` at the end.
    func next() throws(EngineError) -> [UInt8]? { try nextEntry()?.document }

    /// The next document in order with its key; `nil` at the end.
    func nextEntry() throws(EngineError) -> (key: [UInt8], document: [UInt8])? {
        guard !runs.isEmpty else {
            guard position < entries.count else {
                entries = []
                return nil
            }
            defer { position += 1 }
            return (entries[position].key, entries[position].document)
        }
        guard let top = heap.first, let key = runs[top].key else { return nil }
        let document = runs[top].document
        try runs[top].advance()
        if runs[top].key == nil {
            heap.swapAt(0, heap.count - 1)
            heap.removeLast()
        }
        siftDown()
        return (key, document)
    }

    private func precedes(_ left: Int, _ right: Int) -> Bool {
        guard let leftKey = runs[left].key, let rightKey = runs[right].key else { return false }
        if leftKey.span.bytes.precedes(rightKey.span.bytes) { return true }
        return left < right && !rightKey.span.bytes.precedes(leftKey.span.bytes)
    }

    private func push(_ run: Int) {
        heap.append(run)
        var child = heap.count - 1
        while child > 0, precedes(heap[child], heap[(child - 1) / 2]) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    private func siftDown() {
        var parent = 0
        while true {
            var first = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && precedes(heap[child], heap[first])
            {
                first = child
            }
            if first == parent { return }
            heap.swapAt(parent, first)
            parent = first
        }
    }
}

/// A file of keys and documents in their order: two lengths (32 bits), the key, the document.
private final class SortedRun {
    private let file: UnsafeMutablePointer<FILE>
    private(set) var key: [UInt8]?
    private(set) var document: [UInt8] = []

    init(in directory: String) throws(EngineError) {
        mkdir(directory, 0o700)
        // Without a name from here on: the file goes with its last user, whatever happens.
        var path = Array("\(directory)/sort-XXXXXX".utf8CString)
        let descriptor = mkstemp(&path)
        if descriptor >= 0 {
            unlink(path)
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        }
        guard descriptor >= 0, let file = fdopen(descriptor, "w+b") else {
            let reason = String(cString: strerror(errno))
            if descriptor >= 0 { close(descriptor) }
            throw EngineError(
                .storage, "The sort is larger than its memory and can have no file in \(directory): \(reason)",
                advice: "Make an index for the order, or give the query a limit")
        }
        self.file = file
        setvbuf(file, nil, _IOFBF, 256 << 10)
    }

    deinit { fclose(file) }

    func write(_ key: [UInt8], _ document: [UInt8]) throws(EngineError) {
        var lengths = (UInt32(key.count), UInt32(document.count))
        let isWritten =
            fwrite(&lengths, 8, 1, file) == 1 && fwrite(key, 1, key.count, file) == key.count
            && fwrite(document, 1, document.count, file) == document.count
        if !isWritten { throw Self.failure("write") }
    }

    func rewind() throws(EngineError) {
        guard fflush(file) == 0, fseek(file, 0, SEEK_SET) == 0 else { throw Self.failure("write") }
    }

    /// Reads the next pair; `key` is `nil` at the end.
    func advance() throws(EngineError) {
        var lengths: (UInt32, UInt32) = (0, 0)
        guard fread(&lengths, 8, 1, file) == 1 else {
            if ferror(file) != 0 { throw Self.failure("read") }
            key = nil
            return
        }
        key = try read(Int(lengths.0))
        document = try read(Int(lengths.1))
    }

    private func read(_ count: Int) throws(EngineError) -> [UInt8] {
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            initialized = fread(buffer.baseAddress, 1, count, file)
        }
        guard bytes.count == count else { throw Self.failure("read") }
        return bytes
    }

    private static func failure(_ what: String) -> EngineError {
        EngineError(
            .storage, "The file of a large sort cannot be used (\(what)): \(String(cString: strerror(errno)))",
            advice: "Free space on the device, or make an index for the order")
    }
}
