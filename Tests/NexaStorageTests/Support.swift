import Glibc
import NexaStorage
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

    deinit { remove(path) }

    /// A copy of another directory, as a crash at this moment would leave it.
    convenience init(copying other: String) {
        self.init()
        copyTree(other, path)
    }

    subscript(_ name: String) -> String { path + "/" + name }
}

func entries(_ path: String) -> [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
        let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
}

func isDirectory(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
}

func remove(_ path: String) {
    if isDirectory(path) {
        for name in entries(path) { remove(path + "/" + name) }
        rmdir(path)
    } else {
        unlink(path)
    }
}

func copyTree(_ from: String, _ to: String) {
    mkdir(to, 0o700)
    for name in entries(from) {
        if isDirectory(from + "/" + name) {
            copyTree(from + "/" + name, to + "/" + name)
        } else {
            writeFile(to + "/" + name, readFile(from + "/" + name))
        }
    }
}

func readFile(_ path: String) -> [UInt8] {
    let descriptor = open(path, O_RDONLY)
    guard descriptor >= 0 else { return [] }
    defer { close(descriptor) }
    var status = stat()
    fstat(descriptor, &status)
    // The empty array is one object that all threads share; filling it in place is a race to the thread sanitizer.
    guard status.st_size > 0 else { return [] }
    return [UInt8](unsafeUninitializedCapacity: Int(status.st_size)) { buffer, count in
        count = max(0, read(descriptor, buffer.baseAddress, buffer.count))
    }
}

func writeFile(_ path: String, _ bytes: [UInt8]) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    var offset = 0
    while offset < bytes.count {
        let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress.map { $0 + offset }, $0.count - offset) }
        if count <= 0 { return }
        offset += count
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
    var count: Int { elements.withLock { $0.count } }
}

/// Small options, so that tests touch file changes and checkpoints.
var smallOptions: StoreOptions {
    var options = StoreOptions()
    options.blockCacheBytes = 8 << 20
    options.valueCacheBytes = 1 << 20
    options.writeBufferBytes = 4 << 20
    return options
}

extension Store {
    func value(_ key: [UInt8], in family: ColumnFamily = .documents) throws(StorageError) -> [UInt8]? {
        try get(family, key.span.bytes) { value in value.withUnsafeBytes { Array($0) } }
    }

    func put(_ key: [UInt8], _ value: [UInt8], durability: Durability = .sync) throws(StorageError) {
        var batch = WriteBatch()
        batch.put(.documents, key: key, value: value)
        try write(batch, durability: durability)
    }

    /// Every key and value of a family.
    func contents(_ family: ColumnFamily = .documents) throws(StorageError) -> [[UInt8]: [UInt8]] {
        var iterator = try makeIterator(family)
        var all: [[UInt8]: [UInt8]] = [:]
        while try iterator.advance() {
            let key = iterator.key.withUnsafeBytes { Array($0) }
            all[key] = iterator.value.withUnsafeBytes { Array($0) }
        }
        return all
    }
}
