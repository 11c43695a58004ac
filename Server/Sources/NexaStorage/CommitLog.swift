import Glibc

/// The files that a commit reaches before it is acknowledged. See `LogFormat` for their form.
///
/// RocksDB has a log of its own, which is turned off: this one is filled with zeros ahead of the writes,
/// so that a flush does not have to record a new file size (half the latency, a tenth of the tail), and
/// it knows the difference between a write cut short and damaged data.
///
/// `@unchecked Sendable`: `append` and `synchronize` are called by one leader at a time (the commit queue
/// sees to that, with a lock between any two), and only they touch `staging` and the sequences; what the
/// maintenance thread shares is inside `shared`.
final class CommitLog: @unchecked Sendable {
    /// One batch on its way into the log.
    struct Entry {
        var payload: [UInt8]
        var checksum: UInt32
    }

    private struct Segment {
        var file: File
        var header: LogFormat.FileHeader
        /// Behind the last record.
        var end: Int
        /// Behind the last zero written ahead.
        var zeroEnd: Int
        var marks: [LogSegment.Mark] = []

        var number: UInt64 { header.number }
    }

    private struct Shared {
        var active: Segment
        /// Full files, oldest first: those that the tables may not hold yet, and before them those kept as history.
        var full: [LogSegment] = []
        /// The tables hold everything up to here.
        var checkpoint: UInt64
        var bytesSinceCheckpoint = 0
        /// What is written at a time; a moving average.
        var groupBytes = 0
        /// How many need all files to stay.
        var holds = 0
    }

    private let directory: String
    private let segmentBytes: Int
    let salt: UInt32
    /// A random number of this opening of the store.
    let run: UInt64
    private let historyBytes: Int
    private let historySeconds: Int
    private let shared: Monitor<Shared>
    private var staging = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
    private(set) var lastSequence: UInt64
    private(set) var durableSequence: UInt64
    /// For tests: the error that the next write reports instead of writing.
    let injectedFailure = Monitor<StorageError?>(nil)

    private static let zeroStep = 256 << 10
    private static let zeroAhead = 4 << 20
    /// Above this, a flush takes long for what it writes: zeros, which the device writes too, would not pay.
    private static let zeroedGroupBytes = 64 << 10
    private static let keptStaging = 8 << 20

    /// Begins a new file behind everything that recovery found, of which `history` is kept for readers.
    init(
        directory: String, options: StoreOptions, salt: UInt32, lastSequence: UInt64, fileNumber: UInt64,
        history: [LogSegment]
    ) throws(StorageError) {
        self.directory = directory
        segmentBytes = max(options.logSegmentBytes, 1 << 16)
        historyBytes = options.keepsHistory ? options.historyBytes : 0
        historySeconds = options.historySeconds
        self.salt = salt
        self.lastSequence = lastSequence
        durableSequence = lastSequence
        run = UInt64.random(in: 1 ... .max)
        // Where nobody knows who wrote the record before, nobody has its position either.
        let previousRun = history.last.flatMap { $0.lastSequence == lastSequence ? $0.header.run : nil } ?? run
        let segment = try Self.makeSegment(
            directory: directory,
            LogFormat.FileHeader(
                number: fileNumber, firstSequence: lastSequence + 1, run: run, previousRun: previousRun))
        shared = Monitor(Shared(active: segment, full: history, checkpoint: lastSequence))
        trimHistory()
    }

    deinit { staging.deallocate() }

    private static func makeSegment(
        directory: String, _ header: LogFormat.FileHeader
    ) throws(StorageError) -> Segment {
        let file = try File(directory + "/" + LogFormat.fileName(header.number), flags: O_RDWR | O_CREAT | O_EXCL)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: zeroStep, alignment: 16)
        defer { buffer.deallocate() }
        buffer.initializeMemory(as: UInt8.self, repeating: 0)
        LogFormat.write(header, to: buffer)
        try file.write(UnsafeRawBufferPointer(buffer), at: 0)
        try file.synchronize()
        try File.synchronizeDirectory(directory)
        return Segment(file: file, header: header, end: LogFormat.fileHeaderSize, zeroEnd: zeroStep)
    }

    // MARK: Leader

    /// Writes a group of batches, gives each the next sequence, and passes their payloads, in place, to `then`.
    ///
    /// With `sync`, the group and everything before it is on the device before `then` runs.
    func append(
        _ entries: [Entry], sync: Bool, then: ([UnsafeRawBufferPointer], UInt64) throws(StorageError) -> Void
    ) throws(StorageError) {
        if let failure = injectedFailure.withLock({ $0 }) { throw failure }
        let size = entries.reduce(0) { $0 + LogFormat.recordSize(payload: $1.payload.count) }
        reserveStaging(size)
        let payloads = stage(entries)
        let (file, offset) = try claim(size)
        try file.write(UnsafeRawBufferPointer(rebasing: staging[0..<size]), at: offset)
        lastSequence += UInt64(entries.count)
        if sync { try synchronize() }
        try then(payloads, lastSequence)
        if staging.count > Self.keptStaging {
            staging.deallocate()
            staging = .allocate(byteCount: 1 << 16, alignment: 16)
        }
    }

    /// Brings everything written so far onto the device.
    func synchronize() throws(StorageError) {
        if let failure = injectedFailure.withLock({ $0 }) { throw failure }
        guard durableSequence < lastSequence else { return }
        try activeFile.synchronize()
        durableSequence = lastSequence
    }

    private var activeFile: File { shared.withLock { $0.active.file } }

    private func reserveStaging(_ size: Int) {
        guard staging.count < size else { return }
        staging.deallocate()
        staging = .allocate(byteCount: max(size, 1 << 16), alignment: 16)
    }

    private func stage(_ entries: [Entry]) -> [UnsafeRawBufferPointer] {
        var payloads: [UnsafeRawBufferPointer] = []
        payloads.reserveCapacity(entries.count)
        var offset = 0
        for (index, entry) in entries.enumerated() {
            let header = LogFormat.RecordHeader(
                payloadLength: entry.payload.count, sequence: lastSequence + 1 + UInt64(index),
                durableSequence: durableSequence, payloadChecksum: entry.checksum)
            let record = UnsafeMutableRawBufferPointer(rebasing: staging[offset..<offset + header.recordSize])
            LogFormat.write(header, salt: salt, to: record)
            let end = LogFormat.recordHeaderSize + entry.payload.count
            let payload = UnsafeMutableRawBufferPointer(rebasing: record[LogFormat.recordHeaderSize..<end])
            entry.payload.withUnsafeBytes { payload.copyMemory(from: $0) }
            for padding in end..<header.recordSize { record[padding] = 0 }
            payloads.append(UnsafeRawBufferPointer(payload))
            offset += header.recordSize
        }
        return payloads
    }

    /// Reserves room at the end of the log, beginning a new file when this one is full.
    private func claim(_ size: Int) throws(StorageError) -> (File, Int) {
        let full = shared.withLock { shared -> Segment? in
            let active = shared.active
            return active.end > LogFormat.fileHeaderSize && active.end + size > segmentBytes ? active : nil
        }
        if let full {
            // No zeros are kept with the history, and the file is whole on the device before a later one says so.
            _ = ftruncate(full.file.descriptor, off_t(full.end))
            try full.file.synchronize()
            durableSequence = lastSequence
            let next = try Self.makeSegment(
                directory: directory,
                LogFormat.FileHeader(
                    number: full.number + 1, firstSequence: lastSequence + 1, run: run, previousRun: run))
            shared.withLock {
                $0.full.append(
                    LogSegment(
                        path: full.file.path, header: full.header, lastSequence: lastSequence, byteCount: full.end,
                        endedAt: LogSegment.now(), marks: full.marks))
                $0.active = next
            }
        }
        return shared.withLock { shared in
            let offset = shared.active.end
            if offset - (shared.active.marks.last?.offset ?? 0) >= LogSegment.markDistance {
                shared.active.marks.append(LogSegment.Mark(sequence: lastSequence + 1, offset: offset))
            }
            shared.active.end += size
            shared.bytesSinceCheckpoint += size
            shared.groupBytes = (shared.groupBytes * 3 + size) / 4
            return (shared.active.file, offset)
        }
    }

    // MARK: Maintenance

    /// True when `extendZeros` has something to do.
    var wantsZeros: Bool {
        shared.withLock { shared in
            shared.active.zeroEnd < segmentBytes && shared.active.zeroEnd - shared.active.end < Self.zeroAhead / 2
                && shared.groupBytes < Self.zeroedGroupBytes
        }
    }

    /// Bytes logged since the last checkpoint.
    var bytesSinceCheckpoint: Int { shared.withLock { $0.bytesSinceCheckpoint } }

    /// Leaves this file without further zeros, and waits for as much log again before the next checkpoint.
    func postponeMaintenance() {
        shared.withLock { shared in
            shared.active.zeroEnd = segmentBytes
            shared.bytesSinceCheckpoint = 0
        }
    }

    /// Fills the active file with zeros some way ahead of the records.
    ///
    /// Each step is written under the lock that also guards the end of the records, so that zeros never
    /// meet a record, and is flushed on its own, so that no commit pays for more than one step.
    func extendZeros() throws(StorageError) {
        let zeros = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.zeroStep, alignment: 16)
        defer { zeros.deallocate() }
        zeros.initializeMemory(as: UInt8.self, repeating: 0)
        while true {
            let file = try shared.withLock { (shared) throws(StorageError) -> File? in
                let start = max(shared.active.zeroEnd, shared.active.end)
                guard start < segmentBytes, start - shared.active.end < Self.zeroAhead else { return nil }
                try shared.active.file.write(UnsafeRawBufferPointer(zeros), at: start)
                shared.active.zeroEnd = start + Self.zeroStep
                return shared.active.file
            }
            guard let file else { return }
            try file.synchronize()
        }
    }

    /// Called when the tables begin to take over what is logged.
    func resetBytesSinceCheckpoint() { shared.withLock { $0.bytesSinceCheckpoint = 0 } }

    /// Records that the tables hold everything up to `sequence`, and removes the files that nobody needs.
    func finishCheckpoint(_ sequence: UInt64, in dataDirectory: String) throws(StorageError) {
        try Checkpoint(sequence: sequence, salt: salt).write(directory: dataDirectory)
        shared.withLock { $0.checkpoint = sequence }
        trimHistory()
    }

    /// Removes files that the tables do not need any more and that are beyond the limits of the history.
    func trimHistory() {
        let oldest = LogSegment.now() - historySeconds
        let removed = shared.withLock { shared -> [LogSegment] in
            guard shared.holds == 0 else { return [] }
            var byteCount = shared.full.reduce(shared.active.end) { $0 + $1.byteCount }
            var count = 0
            while count < shared.full.count, shared.full[count].lastSequence <= shared.checkpoint,
                byteCount > historyBytes || shared.full[count].endedAt <= oldest
            {
                byteCount -= shared.full[count].byteCount
                count += 1
            }
            defer { shared.full.removeFirst(count) }
            return Array(shared.full[..<count])
        }
        for segment in removed { unlink(segment.path) }
    }

    /// Whether there is history that may become too old.
    var hasHistory: Bool { shared.withLock { !$0.full.isEmpty } }

    /// Cuts the zeros off the active file, which is complete; nothing may be appended afterwards.
    func finish() {
        shared.withLock { shared in
            _ = ftruncate(shared.active.file.descriptor, off_t(shared.active.end))
        }
    }

    // MARK: Backups

    /// Keeps all files until `release`.
    func hold() { shared.withLock { $0.holds += 1 } }

    func release() { shared.withLock { $0.holds -= 1 } }

    /// All files with how much of them is written. The caller sees to it that nothing is appended meanwhile.
    func openFiles() throws(StorageError) -> [(name: String, file: File, byteCount: Int)] {
        try shared.withLock { shared throws(StorageError) in
            var files: [(name: String, file: File, byteCount: Int)] = []
            for segment in shared.full {
                let file = try File(segment.path, flags: O_RDONLY)
                files.append((LogFormat.fileName(segment.header.number), file, try file.size()))
            }
            let active = shared.active
            files.append((LogFormat.fileName(active.number), active.file, active.end))
            return files
        }
    }

    /// The first commit that is in a file, or the next one.
    var firstSequence: UInt64 {
        shared.withLock { $0.full.first?.header.firstSequence ?? $0.active.header.firstSequence }
    }

    // MARK: Reading

    /// Where a commit is, or will be; `nil` when it is not in the log any more.
    func locate(_ sequence: UInt64) -> LogPlace? {
        shared.withLock { shared in
            let active = shared.active
            if sequence >= active.header.firstSequence {
                return LogPlace(active.header, active.marks, reaching: sequence, file: active.file, path: "")
            }
            guard let segment = shared.full.last(where: { $0.header.firstSequence <= sequence }),
                sequence <= segment.lastSequence
            else { return nil }
            var place = LogPlace(
                segment.header, segment.marks, reaching: sequence, file: nil, path: segment.path)
            place.lastSequence = segment.lastSequence
            return place
        }
    }

    /// Who wrote a commit; `nil` when the log does not say any more.
    func run(of sequence: UInt64) -> UInt64? {
        shared.withLock { shared in
            if sequence >= shared.active.header.firstSequence { return run }
            if let segment = shared.full.last(where: { $0.header.firstSequence <= sequence }),
                sequence <= segment.lastSequence
            {
                return segment.header.run
            }
            let headers = shared.full.map(\.header) + [shared.active.header]
            return headers.first { $0.firstSequence == sequence + 1 }?.previousRun
        }
    }

    /// How much is written to a file, when it is the one that is written to.
    func end(ofActive number: UInt64) -> Int? {
        shared.withLock { $0.active.number == number ? $0.active.end : nil }
    }
}
