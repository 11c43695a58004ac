import Glibc
@_spi(Testing) import NexaEngine
import NexaValue
import Synchronization

/// A directory that goes with the value.
final class TemporaryDirectory: Sendable {
    let path: String

    init() {
        // Memory, where there is some to write files to: thousands of flushes take a disk minutes.
        let parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"
        var template = Array("\(parent)/nexa-test-XXXXXX".utf8CString)
        path = template.withUnsafeMutableBufferPointer { buffer in
            buffer.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) } ?? "/tmp/nexa-test-failed"
        }
    }

    deinit { Self.remove(path) }

    /// A copy of another directory.
    convenience init(copying other: String) {
        self.init()
        Self.copy(other, path)
    }

    private static func copy(_ from: String, _ to: String) {
        mkdir(to, 0o700)
        for source in paths(in: from) {
            let target = to + source.dropFirst(from.count)
            if isDirectory(source) { copy(source, target) } else { write(contents(of: source), to: target) }
        }
    }

    private static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// What is in a directory, sorted.
    static func paths(in path: String) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(path + "/" + name) }
        }
        return names.sorted()
    }

    static func byteCount(of path: String) -> Int { paths(in: path).reduce(0) { $0 + contents(of: $1).count } }

    static func contents(of path: String) -> [UInt8] {
        guard let file = fopen(path, "rb") else { return [] }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
        return bytes
    }

    static func write(_ bytes: [UInt8], to path: String) {
        guard let file = fopen(path, "wb") else { return }
        fwrite(bytes, 1, bytes.count, file)
        fclose(file)
    }

    private static func remove(_ path: String) {
        guard let directory = opendir(path) else {
            unlink(path)
            return
        }
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard name != ".", name != ".." else { continue }
            if entry.pointee.d_type == DT_DIR { remove(path + "/" + name) } else { unlink(path + "/" + name) }
        }
        closedir(directory)
        rmdir(path)
    }
}

/// Small, seeded, reproducible randomness (Steele, Lea, Flood: SplitMix).
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// Tells other threads that something has happened.
final class Flag: Sendable {
    private let value = Atomic<Bool>(false)
    var isSet: Bool { value.load(ordering: .acquiring) }
    func set() { value.store(true, ordering: .releasing) }
}

/// Collects what is reported from any thread.
final class Collector<Element: Sendable>: Sendable {
    private let elements = Mutex<[Element]>([])
    func add(_ element: Element) { elements.withLock { $0.append(element) } }
    var all: [Element] { elements.withLock { $0 } }
}

/// An engine over a directory of its own; closed before the directory goes.
final class Fixture {
    let directory = TemporaryDirectory()
    private(set) var engine: Engine

    init() throws(EngineError) { engine = try Self.open(directory.path) }

    deinit { engine.close() }

    static func open(_ path: String) throws(EngineError) -> Engine {
        var options = EngineOptions()
        options.blockCacheBytes = 8 << 20
        options.documentCacheBytes = 1 << 20
        options.writeBufferBytes = 4 << 20
        return try Engine.open(at: path, options: options)
    }

    /// How many documents there are, with or without a collection.
    func storedDocumentCount() -> Int { engine.storedDocumentCount() }

    /// Closes the engine and opens the directory again.
    func reopen() throws(EngineError) {
        engine.close()
        engine = try Self.open(directory.path)
    }
}
