import Glibc
import NexaSCRAM
import NexaValue
import Synchronization

/// A folder of exported collections. It appears under its name only when it is whole: filled as `name.part`, then renamed.
final class ExportFolder {
    private let path: String
    private let partPath: String
    private var isComplete = false

    /// - Throws: when there is something in the folder already.
    init(_ target: String) throws(ShellError) {
        var target = target
        while target.count > 1, target.hasSuffix("/") { target.removeLast() }
        path = target
        partPath = target + ".part"
        if try Self.entries(target)?.isEmpty == false {
            isComplete = true
            throw ShellError("\(target) is not empty; export --all makes a folder of its own", exit: .file)
        }
        if mkdir(partPath, 0o777) != 0 {
            // Left behind by an export that was killed.
            guard errno == EEXIST, let entries = try Self.entries(partPath) else {
                isComplete = true
                throw ShellError("cannot make \(partPath): \(systemMessage(errno))", exit: .file)
            }
            for entry in entries { unlink("\(partPath)/\(entry)") }
        }
    }

    deinit {
        guard !isComplete else { return }
        for entry in (try? Self.entries(partPath)) ?? [] { unlink("\(partPath)/\(entry)") }
        rmdir(partPath)
    }

    /// Where a file of the folder is for now.
    func place(_ name: String) -> String { "\(partPath)/\(name)" }

    /// Gives the folder its name.
    func complete() throws(ShellError) {
        ExportFile.sync(folder: partPath)
        guard rename(partPath, path) == 0 else {
            throw ShellError("cannot write \(path): \(systemMessage(errno))", exit: .file)
        }
        isComplete = true
        ExportFile.sync(folder: path.lastIndex(of: "/").map { path[..<$0].isEmpty ? "/" : String(path[..<$0]) } ?? ".")
    }

    /// The names in a folder, or `nil` when there is no such thing.
    private static func entries(_ path: String) throws(ShellError) -> [String]? {
        guard let folder = opendir(path) else {
            if errno == ENOENT { return nil }
            throw ShellError("cannot read \(path): \(systemMessage(errno))", exit: .file)
        }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }
}

/// `manifest.json`: what is in a folder of exported collections.
struct ExportManifest: Sendable, Equatable {
    /// A collection and its file.
    struct Entry: Sendable, Equatable {
        var collection: String
        var file: String
        var documents: Int
        /// The size of the file as it is, packed or not.
        var bytes: Int
        /// The SHA-256 digest of the file as it is, in hexadecimal digits.
        var sha256: String
    }

    static let fileName = "manifest.json"
    /// A longer manifest is refused.
    static let maximumBytes = 16 << 20
    private static let kind = "nexadb-export"

    var database: String
    var entries: [Entry]

    init(database: String, entries: [Entry]) {
        self.database = database
        self.entries = entries
    }

    /// The text of the file.
    var text: String {
        let document: Document = [
            "kind": .string(Self.kind), "version": 1, "database": .string(database),
            "collections": .array(
                entries.map { entry in
                    .document([
                        "name": .string(entry.collection), "file": .string(entry.file),
                        "documents": .int(Int64(entry.documents)), "bytes": .int(Int64(entry.bytes)),
                        "sha256": .string(entry.sha256)
                    ])
                })
        ]
        return ((try? JSON.string(document, .pretty)) ?? "") + "\n"
    }

    /// Reads the text of the file.
    init(_ text: [UInt8], name: String) throws(ShellError) {
        let document: Document
        do throws(JSONError) {
            document = try JSON.decodeDocument(text)
        } catch {
            throw ShellError("\(name): \(error)")
        }
        guard document["kind"]?.string == Self.kind, document["version"]?.int == 1,
            let database = document["database"]?.string, let collections = document["collections"]?.array
        else { throw ShellError("\(name) is no manifest of an export of this version") }
        self.database = database
        entries = []
        for collection in collections {
            guard let name = collection.document?["name"]?.string, let file = collection.document?["file"]?.string,
                let documents = collection.document?["documents"]?.int, documents >= 0,
                let bytes = collection.document?["bytes"]?.int, bytes >= 0,
                let digest = collection.document?["sha256"]?.string
            else { throw ShellError("the manifest lacks something of collection \(entries.count + 1)") }
            // It names files of its folder and nothing else.
            guard !file.isEmpty, file != ".", file != "..", !file.utf8.contains(0x2F), !file.utf8.contains(0) else {
                throw ShellError("the manifest names '\(file)', which is no file of its folder")
            }
            entries.append(
                Entry(
                    collection: name, file: file, documents: Int(documents), bytes: Int(bytes), sha256: digest))
        }
    }

    /// The name of a collection's file: letters, digits, `_`, `-` and `.` as they are, other bytes as `%XX`.
    static func fileName(of collection: String, _ number: Int, packed: Bool) -> String {
        var name = ""
        for (index, byte) in collection.utf8.enumerated() {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x5F, 0x2D: name.unicodeScalars.append(Unicode.Scalar(byte))
            case 0x2E where index > 0: name += "."
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                name += "%" + (digits.count < 2 ? "0" : "") + digits
            }
        }
        // File systems end at 255 bytes.
        if name.utf8.count > 200 { name = "collection%\(number)" }
        return name + (packed ? ".ndjson.gz" : ".ndjson")
    }
}

/// Counts and digests what passes through.
final class DigestSink: ByteSink {
    private struct State {
        var digest = SHA256.Stream()
        var count = 0
    }

    private let target: any ByteSink
    private let state = Mutex(State())

    init(to target: any ByteSink) { self.target = target }

    func write(_ bytes: borrowing [UInt8]) throws(OutputError) {
        let bytes = copy bytes
        state.withLock { state in
            state.digest.update(bytes)
            state.count += bytes.count
        }
        try target.write(bytes)
    }

    func flush() throws(OutputError) { try target.flush() }

    /// How many bytes there were, and their digest.
    var result: (bytes: Int, sha256: String) {
        state.withLock { ($0.count, Self.text($0.digest.digest())) }
    }

    static func text(_ digest: [UInt8]) -> String {
        digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
