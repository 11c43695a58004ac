import Glibc

/// Walks the commits in the log that carry a note, in order, also while more are being written.
///
/// ```swift
/// let cursor = store.makeCommitCursor(from: store.commitSequence + 1)
/// while try cursor.advance(upTo: store.commitSequence) {
///     while let operation = try cursor.nextOperation() { use(cursor.sequence, operation) }
/// }
/// ```
/// Made by `Store.makeCommitCursor`. It takes memory only while it is read: at most a window, or one operation if that is larger. It keeps
/// no file from being removed; what it is then too late for is reported as `historyLost`.
///
/// `@unchecked Sendable`: it has one user at a time, who may hand it to another thread.
public final class CommitCursor: @unchecked Sendable {
    private let log: CommitLog
    private var file: File?
    private var fileNumber: UInt64 = 0
    /// The last commit of the file that counts.
    private var fileLast: UInt64 = 0
    private var fileRun: UInt64 = 0
    /// The next record, or the next operation of the commit at hand.
    private var offset = 0
    private var payloadEnd = 0
    private var recordEnd = 0

    private var window = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    private var windowStart = 0
    private var windowCount = 0
    /// The last commit that had been written when the window was filled: later ones in it may be cut.
    private var windowLimit: UInt64 = 0
    private var limit: UInt64 = 0

    /// The commit that comes next.
    public private(set) var next: UInt64
    /// The commit at hand.
    public private(set) var sequence: UInt64 = 0
    /// Who wrote the commit at hand.
    public var run: UInt64 { fileRun }

    private static let windowBytes = 128 << 10

    init(_ log: CommitLog, from first: UInt64) {
        self.log = log
        next = max(1, first)
    }

    deinit { window.deallocate() }

    /// True when reading on may have to wait for the device, so that an event loop should not do it.
    public var isCold: Bool {
        if file != nil, log.end(ofActive: fileNumber) != nil { return false }
        return log.locate(next).map { $0.file == nil } ?? false || isInside
    }

    /// False when the next commit has been removed from the log already.
    public var isAvailable: Bool { file != nil || log.locate(next) != nil }

    private var isInside: Bool { offset < payloadEnd }

    /// True when the commit at hand has no more operations.
    public var isAtEndOfCommit: Bool { !isInside }

    /// Moves to the next commit with a note, at most to `limit`, which is one that readers of the store see already.
    ///
    /// - Throws: `.historyLost` when the commit is not in the log any more, `.inputOutput`.
    public func advance(upTo limit: UInt64) throws(StorageError) -> Bool {
        self.limit = limit
        if recordEnd > 0 {
            offset = recordEnd
            payloadEnd = 0
            recordEnd = 0
        }
        while next <= limit {
            if next > windowLimit { windowCount = 0 }
            guard let header = try nextHeader() else {
                try move(to: next)
                continue
            }
            let start = offset + LogFormat.recordHeaderSize
            let end = offset + header.recordSize
            var isNoted = header.payloadLength > 0
            if isNoted { isNoted = try tag(at: start) == WriteBatch.Tag.note.rawValue }
            if isNoted, fileRun != log.run { try verify(start, header) }
            sequence = next
            next += 1
            guard isNoted else {
                offset = end
                continue
            }
            offset = start
            payloadEnd = start + header.payloadLength
            recordEnd = end
            return true
        }
        return false
    }

    /// The next operation of the commit at hand, or `nil` behind the last; its bytes are valid until the next call.
    package func nextOperation() throws(StorageError) -> BatchOperation? {
        guard isInside else { return nil }
        var length = 2
        let tag = WriteBatch.Tag(rawValue: try tag(at: offset))
        for _ in 0..<(tag == .put || tag == .deleteRange ? 2 : 1) {
            guard let bytes = try bytes(at: offset + length, count: 4) else { throw damaged() }
            length += 4 + Int(UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self)))
            guard offset + length <= payloadEnd else { throw damaged() }
        }
        guard let bytes = try bytes(at: offset, count: length) else { throw damaged() }
        var reader = BatchReader(bytes)
        guard let operation = reader.next() else { throw damaged() }
        offset += length
        return operation
    }

    /// Gives the memory back; the next call takes some again.
    public func releaseMemory() {
        window.deallocate()
        window = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        windowCount = 0
    }

    // MARK: Files

    /// The header of the record at the offset, if it is the next one; `nil` when that is in another file.
    private func nextHeader() throws(StorageError) -> LogFormat.RecordHeader? {
        guard file != nil, next <= fileLast, let bytes = try bytes(at: offset, count: LogFormat.recordHeaderSize),
            let header = LogFormat.readRecordHeaderAlone(bytes, at: 0, salt: log.salt), header.sequence == next
        else { return nil }
        return header
    }

    /// Opens the file that holds a commit and walks up to it.
    private func move(to wanted: UInt64) throws(StorageError) {
        guard let place = log.locate(wanted), file == nil || place.number != fileNumber else { throw lost(wanted) }
        if let active = place.file {
            file = active
        } else {
            do throws(StorageError) {
                file = try File(place.path, flags: O_RDONLY)
            } catch {
                // Removed since.
                guard access(place.path, F_OK) != 0 else { throw error }
                throw lost(wanted)
            }
        }
        fileNumber = place.number
        fileLast = place.lastSequence
        fileRun = place.run
        offset = place.offset
        windowCount = 0
        next = place.sequence
        while next < wanted {
            guard let header = try nextHeader() else { throw lost(wanted) }
            offset += header.recordSize
            next += 1
        }
    }

    /// Compares a commit of an earlier run with its checksum.
    private func verify(_ start: Int, _ header: LogFormat.RecordHeader) throws(StorageError) {
        var checksum: UInt32 = 0
        var done = 0
        while done < header.payloadLength {
            let count = min(Self.windowBytes, header.payloadLength - done)
            guard let bytes = try bytes(at: start + done, count: count) else { throw damaged() }
            checksum = CRC32C.checksum(bytes, continuing: checksum)
            done += count
        }
        guard checksum == header.payloadChecksum else { throw damaged() }
    }

    // MARK: Window

    private func tag(at offset: Int) throws(StorageError) -> UInt8 {
        guard let bytes = try bytes(at: offset, count: 1) else { throw damaged() }
        return bytes[0]
    }

    /// Bytes of the file, valid until the next call; `nil` when it ends before.
    private func bytes(at offset: Int, count: Int) throws(StorageError) -> UnsafeRawBufferPointer? {
        let isThere = offset >= windowStart && offset + count <= windowStart + windowCount
        if !isThere { try fill(offset, count) }
        guard offset + count <= windowStart + windowCount else { return nil }
        let start = offset - windowStart
        return UnsafeRawBufferPointer(rebasing: window[start..<start + count])
    }

    private func fill(_ offset: Int, _ count: Int) throws(StorageError) {
        guard let file else { return }
        // Of a file that grows, no more than there is.
        let available = log.end(ofActive: fileNumber).map { max(0, $0 - offset) } ?? .max
        let wanted = min(max(count, Self.windowBytes), available)
        windowCount = 0
        if window.count < wanted || window.count > 4 * Self.windowBytes {
            window.deallocate()
            window = .allocate(byteCount: wanted, alignment: 16)
        }
        windowStart = offset
        windowLimit = limit
        windowCount = try file.read(into: UnsafeMutableRawBufferPointer(rebasing: window[0..<wanted]), at: offset)
    }

    // MARK: Errors

    private func lost(_ sequence: UInt64) -> StorageError {
        StorageError(
            .historyLost, "Commit \(sequence) is not in the log any more",
            advice: "Read the documents again and watch from now on; a larger change history reaches further back")
    }

    private func damaged() -> StorageError {
        StorageError(
            .historyLost, "Commit \(next) in \(file?.path ?? "the log") is damaged",
            advice: "Read the documents again and watch from now on; the documents themselves are stored elsewhere")
    }
}
