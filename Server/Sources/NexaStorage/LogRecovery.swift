import Glibc

/// Reads the commit log after a stop and decides what it means.
///
/// Records are applied in order from the one after the checkpoint. Where a record is not whole there are
/// four cases, told apart by what follows it:
/// 1. only zeros: the ordinary end;
/// 2. the next record expected: the damage lies in what the checkpoint covers already; nothing is lost;
/// 3. no later record, or later ones none of which says that the missing ones had reached the device:
///    the write was cut by a crash. The rest is dropped, with a notice;
/// 4. later records that say so: acknowledged data is damaged. `strict` refuses, naming the place.
struct LogRecovery {
    let directory: String
    let checkpoint: UInt64
    let salt: UInt32
    let mode: StoreOptions.LogRecovery
    let notice: (StorageNotice) -> Void

    /// What recovery found.
    struct Outcome {
        /// The last sequence that was applied or is covered by the checkpoint.
        var lastSequence: UInt64
        /// The number of records applied.
        var applied = 0
        /// The highest file number seen.
        var lastFileNumber: UInt64 = 0
        /// The log files that were looked at.
        var files: [String] = []
        /// All log files.
        var allFiles: [String] = []
        /// The log files that hold commits, oldest first.
        var history: [LogSegment] = []
    }

    private struct Place {
        var file: Int
        var offset: Int
    }

    /// What lies behind a damaged place.
    private struct Survey {
        /// The first whole record with a sequence not seen yet.
        var next: (place: Place, sequence: UInt64)?
        var records = 0
        var durableSequence: UInt64 = 0
    }

    /// Applies what the log holds; `apply` gets the payloads of some records in a row, and the last one's sequence.
    func run(apply: ([UnsafeRawBufferPointer], UInt64) throws(StorageError) -> Void) throws(StorageError) -> Outcome {
        let numbers = try File.list(directory).compactMap { LogFormat.fileNumber($0) }.sorted()
        var outcome = Outcome(lastSequence: checkpoint)
        outcome.lastFileNumber = numbers.last ?? 0
        let files = numbers.map { directory + "/" + LogFormat.fileName($0) }
        var headers: [LogFormat.FileHeader?] = []
        for file in files {
            headers.append(try withContent(of: file, limit: LogFormat.fileHeaderSize) { LogFormat.readFileHeader($0) })
        }
        // The tables hold what is in the files before the one where the checkpoint lies.
        let start = headers.lastIndex { $0.map { $0.firstSequence <= checkpoint + 1 } ?? false } ?? 0
        outcome.files = Array(files[start...])
        outcome.allFiles = files
        try checkStart(outcome)
        var place = Place(file: 0, offset: LogFormat.fileHeaderSize)
        while place.file < outcome.files.count {
            let resume = try withContent(of: outcome.files[place.file]) { (bytes) throws(StorageError) -> Place? in
                let stop = try replay(bytes, from: place.offset, into: &outcome, apply: apply)
                guard let stop else { return Place(file: place.file + 1, offset: LogFormat.fileHeaderSize) }
                return try judge(Place(file: place.file, offset: stop), bytes, outcome)
            }
            guard let resume else { break }
            place = resume
        }
        outcome.history = history(files, headers, outcome)
        return outcome
    }

    /// All files that hold commits, with what they hold.
    private func history(
        _ files: [String], _ headers: [LogFormat.FileHeader?], _ outcome: Outcome
    ) -> [LogSegment] {
        var history: [LogSegment] = []
        var following = outcome.lastSequence + 1
        for (file, header) in zip(files, headers).reversed() {
            guard let header, header.firstSequence < following else { continue }
            history.append(LogSegment(file, header, lastSequence: following - 1))
            following = header.firstSequence
        }
        return history.reversed()
    }

    /// Refuses a log whose first file begins behind the checkpoint: files are missing.
    private func checkStart(_ outcome: Outcome) throws(StorageError) {
        guard mode == .strict, let first = outcome.files.first else { return }
        let header = try withContent(of: first, limit: LogFormat.fileHeaderSize) { LogFormat.readFileHeader($0) }
        guard let header, header.firstSequence > checkpoint + 1 else { return }
        throw StorageError(
            .logDamaged,
            "The commit log begins at commit \(header.firstSequence), but the tables end at commit "
                + "\(checkpoint): log files are missing from \(directory)",
            advice: "Put the missing files back, restore a backup, or give up the commits between by starting once "
                + "with --log-recovery discard-after-damage")
    }

    /// Applies records up to the end of the file (returns `nil`) or to the first that is not whole or not next.
    private func replay(
        _ bytes: UnsafeRawBufferPointer, from start: Int, into outcome: inout Outcome,
        apply: ([UnsafeRawBufferPointer], UInt64) throws(StorageError) -> Void
    ) throws(StorageError) -> Int? {
        if bytes.count < LogFormat.fileHeaderSize { reportStub(outcome) }
        var offset = start
        var waiting: [UnsafeRawBufferPointer] = []
        var waitingBytes = 0
        while let (header, payload) = LogFormat.readRecord(bytes, at: offset, salt: salt) {
            if header.sequence > outcome.lastSequence {
                guard header.sequence == outcome.lastSequence + 1 else { break }
                waiting.append(payload)
                waitingBytes += payload.count
                outcome.lastSequence += 1
                outcome.applied += 1
                if waitingBytes > 4 << 20 {
                    try apply(waiting, outcome.lastSequence)
                    waiting.removeAll(keepingCapacity: true)
                    waitingBytes = 0
                }
            }
            offset += header.recordSize
        }
        if !waiting.isEmpty { try apply(waiting, outcome.lastSequence) }
        return bytes.isZero(from: min(offset, bytes.count)) ? nil : offset
    }

    private func reportStub(_ outcome: Outcome) {
        notice(
            StorageNotice(
                .warning,
                "A commit log file behind commit \(outcome.lastSequence) in \(directory) has no header: it was "
                    + "just being made when the server stopped, or it has been cut"))
    }

    /// Decides about a place where the log does not go on. Returns where to go on, or `nil` for the end.
    private func judge(
        _ place: Place, _ bytes: UnsafeRawBufferPointer, _ outcome: Outcome
    ) throws(StorageError) -> Place? {
        let file = outcome.files[place.file]
        let survey = try survey(behind: place, bytes, outcome)
        let length = bytes.lastNonZero - place.offset + 1
        if let next = survey.next, next.sequence == outcome.lastSequence + 1 {
            notice(
                StorageNotice(
                    .warning,
                    "The commit log \(file) is damaged at byte \(place.offset), in a part that the tables "
                        + "hold already: nothing is lost"))
            return next.place
        }
        if let next = survey.next, survey.durableSequence > outcome.lastSequence {
            let lost = next.sequence - outcome.lastSequence - 1
            let what =
                "The commit log \(file) is damaged at byte \(place.offset): \(lost) acknowledged commit(s) "
                + "cannot be read, and \(survey.records) whole commit(s) follow them"
            guard mode == .discardAfterDamage else {
                throw StorageError(
                    .logDamaged, what,
                    advice: "Restore a backup, or give up the damaged commits and all after them by starting once with "
                        + "--log-recovery discard-after-damage; the files are kept beside the log as *.damaged")
            }
            for file in outcome.files[place.file...] { try keepAside(file) }
            notice(StorageNotice(.warning, what + ". They were all dropped, as asked; the files are kept as *.damaged"))
            return nil
        }
        try keepTail(bytes, from: place.offset, of: file)
        let also = survey.records == 0 ? "" : " and \(survey.records) commit(s) written after it"
        notice(
            StorageNotice(
                .warning,
                "The commit log \(file) ends in an incomplete record at byte \(place.offset): \(length) byte(s)"
                    + "\(also) were dropped, as after a crash in the middle of a write. Everything before it is in place. "
                    + "If the machine did not crash, suspect the device; the bytes are kept beside the log as *.damaged"
            ))
        return nil
    }

    /// Looks at everything behind a place for whole records with new sequences.
    private func survey(
        behind place: Place, _ bytes: UnsafeRawBufferPointer, _ outcome: Outcome
    ) throws(StorageError) -> Survey {
        var survey = Survey()
        func look(_ bytes: UnsafeRawBufferPointer, file: Int, from start: Int) {
            var offset = start
            while offset + LogFormat.recordHeaderSize <= bytes.count {
                guard let (header, _) = LogFormat.readRecord(bytes, at: offset, salt: salt) else {
                    offset += LogFormat.alignment
                    continue
                }
                if header.sequence > outcome.lastSequence {
                    survey.records += 1
                    survey.durableSequence = max(survey.durableSequence, header.durableSequence)
                    if survey.next == nil { survey.next = (Place(file: file, offset: offset), header.sequence) }
                }
                offset += header.recordSize
            }
        }
        look(bytes, file: place.file, from: place.offset)
        for file in outcome.files.indices where file > place.file {
            try withContent(of: outcome.files[file]) { look($0, file: file, from: LogFormat.fileHeaderSize) }
        }
        return survey
    }

    private func keepAside(_ file: String) throws(StorageError) {
        guard rename(file, file + ".damaged") == 0 else { throw .system("rename", file) }
    }

    private func keepTail(_ bytes: UnsafeRawBufferPointer, from offset: Int, of path: String) throws(StorageError) {
        let kept = try File("\(path).\(offset).damaged", flags: O_WRONLY | O_CREAT | O_TRUNC)
        let end = max(offset, bytes.lastNonZero + 1)
        try kept.write(UnsafeRawBufferPointer(rebasing: bytes[offset..<end]), at: 0)
    }
}

/// Runs `body` with a whole file in memory.
private func withContent<Result>(
    of path: String, limit: Int = .max, _ body: (UnsafeRawBufferPointer) throws(StorageError) -> Result
) throws(StorageError) -> Result {
    let file = try File(path, flags: O_RDONLY)
    let size = min(try file.size(), limit)
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: max(size, 1), alignment: 16)
    defer { buffer.deallocate() }
    let count = try file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[0..<size]), at: 0)
    return try body(UnsafeRawBufferPointer(rebasing: buffer[0..<count]))
}

extension UnsafeRawBufferPointer {
    /// The offset of the last byte that is not zero, or -1.
    var lastNonZero: Int {
        var position = count
        while position >= 8, loadUnaligned(fromByteOffset: position - 8, as: UInt64.self) == 0 { position -= 8 }
        while position > 0, self[position - 1] == 0 { position -= 1 }
        return position - 1
    }

    /// True when nothing but zeros follows.
    func isZero(from offset: Int) -> Bool { lastNonZero < offset }
}
