import Glibc
import NexaValue

/// A file of an export, read piece by piece: one document at a time is in memory.
///
/// `.bson` holds documents one behind the other. `.json` holds objects of Extended JSON in any arrangement that
/// MongoDB's tools write: one a line, one behind the other, or as an array.
final class ExportFile {
    /// The largest document in a file, in bytes; MongoDB's own limit is 16 MiB of BSON.
    static let maximumDocumentBytes = 64 << 20
    private static let chunkBytes = 1 << 20

    let path: String
    private let isBSON: Bool
    private let descriptor: CInt
    /// What was read and not used yet: `buffer[start...]`.
    private var buffer: [UInt8] = []
    private var start = 0
    /// Where `buffer[0]` stands in the file.
    private var offset = 0
    private var isAtEnd = false
    /// Bytes used so far.
    var consumed: Int { offset + start }

    /// Opens a file. Links are not followed, and nothing but a file is read.
    init(_ path: String) throws(EngineError) {
        self.path = path
        isBSON = path.hasSuffix(".bson")
        descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        var status = stat()
        guard descriptor >= 0, fstat(descriptor, &status) == 0 else {
            let reason = String(cString: strerror(errno))
            if descriptor >= 0 { close(descriptor) }
            throw EngineError(.badRequest, "Cannot read \(path): \(reason)")
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw EngineError(.badRequest, "\(path) is no file")
        }
        posix_fadvise(descriptor, 0, 0, CInt(POSIX_FADV_SEQUENTIAL))
    }

    deinit { close(descriptor) }

    /// Appends the next document to the writer; false behind the last one.
    func next(into writer: inout MessagePackWriter) throws(EngineError) -> Bool {
        isBSON ? try nextBSON(into: &writer) : try nextJSON(into: &writer)
    }

    // MARK: Bytes

    private func fault(_ what: String) -> EngineError {
        EngineError(.badRequest, "\(path) cannot be read at byte \(consumed): \(what)")
    }

    /// Has `count` bytes ready from `start`, if there are so many.
    private func fill(_ count: Int) throws(EngineError) -> Bool {
        while buffer.count - start < count, !isAtEnd {
            if start > Self.chunkBytes {
                offset += start
                buffer.removeFirst(start)
                start = 0
            }
            let wanted = max(Self.chunkBytes, min(count - (buffer.count - start), 4 << 20))
            var got = 0
            var failure: CInt = 0
            let chunk = [UInt8](unsafeUninitializedCapacity: wanted) { space, initializedCount in
                repeat {
                    got = Glibc.read(descriptor, space.baseAddress, wanted)
                    failure = errno
                } while got < 0 && failure == EINTR
                initializedCount = max(0, got)
            }
            guard got >= 0 else {
                throw EngineError(.badRequest, "Cannot read \(path): \(String(cString: strerror(failure)))")
            }
            buffer += chunk
            isAtEnd = got == 0
        }
        return buffer.count - start >= count
    }

    // MARK: BSON

    private func nextBSON(into writer: inout MessagePackWriter) throws(EngineError) -> Bool {
        guard try fill(4) else {
            guard buffer.count == start else { throw fault("the file is cut off") }
            return false
        }
        let size = (0..<4).reduce(0) { $0 | Int(buffer[start + $1]) << (8 * $1) }
        guard (5...Self.maximumDocumentBytes).contains(size) else {
            throw fault("a document cannot have \(size) bytes; is this a BSON file?")
        }
        guard try fill(size) else { throw fault("the file is cut off") }
        do throws(BSONError) {
            var transcoder = BSONTranscoder(buffer.span.bytes.extracting(start..<start + size))
            try transcoder.run(into: &writer)
        } catch {
            throw fault(error.message)
        }
        start += size
        return true
    }

    // MARK: JSON

    private func nextJSON(into writer: inout MessagePackWriter) throws(EngineError) -> Bool {
        // Blanks, the brackets and commas of an array, and a byte order mark stand between objects.
        while true {
            guard try fill(1) else { return false }
            switch buffer[start] {
            case 0x20, 0x09, 0x0A, 0x0D, 0x2C, 0x5B, 0x5D: start += 1
            case 0xEF where consumed == 0: start += 3
            case 0x7B:
                let size = try objectSize()
                var options = JSON.Options(readsExtendedForms: true)
                options.limits.maximumByteCount = Self.maximumDocumentBytes
                do throws(JSONError) {
                    let text = buffer.span.bytes.extracting(start..<start + size)
                    try JSON.transcodeDocument(text, options, into: &writer)
                } catch {
                    throw fault("\(error)")
                }
                start += size
                return true
            default: throw fault("expected an object")
            }
        }
    }

    /// The length of the object that begins at `start`.
    private func objectSize() throws(EngineError) -> Int {
        var position = 0
        var depth = 0
        var isText = false
        while true {
            guard position < Self.maximumDocumentBytes else {
                throw fault("an object is longer than \(Self.maximumDocumentBytes) bytes")
            }
            guard try fill(position + 1) else { throw fault("the file is cut off in an object") }
            let end = buffer.withUnsafeBytes { bytes -> Int? in
                while start + position < bytes.count {
                    switch bytes[start + position] {
                    case 0x5C where isText: position += 1
                    case 0x22: isText.toggle()
                    case 0x7B where !isText: depth += 1
                    case 0x7D where !isText:
                        depth -= 1
                        if depth == 0 { return position + 1 }
                    default: break
                    }
                    position += 1
                }
                return nil
            }
            if let end { return end }
        }
    }
}
