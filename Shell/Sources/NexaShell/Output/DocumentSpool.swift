import CLineEditor
import Glibc
import NexaValue

/// Keeps any number of documents until all are there: a few in memory, more in a file without a name, which is gone with
/// the process. The folder is that of TMPDIR, else /tmp.
final class DocumentSpool {
    /// More bytes than this go to the file.
    private static let memoryBytes = 4 << 20

    private let environment: @Sendable (String) -> String?
    private var buffer: [UInt8] = []
    private var file: CInt = -1
    private var writtenBytes = 0
    /// How many documents there are.
    private(set) var count = 0

    init(environment: @escaping @Sendable (String) -> String? = systemVariable) { self.environment = environment }

    deinit { if file >= 0 { close(file) } }

    func append(_ document: Document) throws(ShellError) {
        let encoded = MessagePack.encode(document)
        withUnsafeBytes(of: UInt32(truncatingIfNeeded: encoded.count).littleEndian) { buffer += $0 }
        buffer += encoded
        count += 1
        if buffer.count > Self.memoryBytes { try spill() }
    }

    private func spill() throws(ShellError) {
        if file < 0 {
            file = nexa_open_nameless(environment("TMPDIR").flatMap { $0.isEmpty ? nil : $0 } ?? "/tmp")
            guard file >= 0 else { throw failure("cannot make a temporary file", errno) }
        }
        let code = writeAll(file, buffer)
        guard code == 0 else { throw failure("cannot write a temporary file", code) }
        writtenBytes += buffer.count
        buffer.removeAll(keepingCapacity: true)
    }

    /// Gives all documents in their order.
    func forEach(_ body: (Document) throws(ShellError) -> Void) throws(ShellError) {
        guard file >= 0 else { return try forEach(in: buffer[...], body) { _ in } }
        if !buffer.isEmpty { try spill() }
        var place = 0
        var rest: [UInt8] = []
        while place < writtenBytes {
            var piece = [UInt8](repeating: 0, count: min(Self.memoryBytes, writtenBytes - place))
            let got = pread(file, &piece, piece.count, off_t(place))
            if got < 0, errno == EINTR { continue }
            guard got > 0 else { throw failure("cannot read a temporary file", errno) }
            place += got
            rest += piece[..<got]
            var used = 0
            try forEach(in: rest[...], body) { used = $0 }
            rest.removeFirst(used)
        }
    }

    /// Gives the documents that are whole; `used` hears how far they reach.
    private func forEach(
        in bytes: ArraySlice<UInt8>, _ body: (Document) throws(ShellError) -> Void, _ used: (Int) -> Void
    ) throws(ShellError) {
        var place = bytes.startIndex
        while bytes.endIndex - place >= 4 {
            let size = (0..<4).reduce(0) { $0 | Int(bytes[place + $1]) << (8 * $1) }
            guard bytes.endIndex - place >= 4 + size else { break }
            let document: Document
            do throws(MessagePackError) {
                document = try MessagePack.decodeDocument(Array(bytes[place + 4..<place + 4 + size]))
            } catch {
                throw ShellError("a temporary file is not as it was written: \(error)", exit: .file)
            }
            place += 4 + size
            try body(document)
        }
        used(place - bytes.startIndex)
    }

    private func failure(_ what: String, _ code: CInt) -> ShellError {
        ShellError("\(what): \(systemMessage(code))", exit: .file)
    }
}

/// A variable of the environment.
@Sendable func systemVariable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
