import Glibc

/// The commands typed before, in memory and in a file that several shells share.
///
/// An entry is on file when Enter is pressed: one `write` under a lock, so that neither a crash nor a second shell loses
/// or mixes anything. The file is created with mode 0600 and is read only when somebody asks for an entry. libedit's
/// own saving is not used: it cannot read this format and truncates the file before it writes.
final class HistoryStore {
    /// Older entries are dropped.
    static let maximumCount = 10_000
    /// Of a longer file only the end is read.
    private static let maximumFileBytes = 32 << 20

    private var path: String?
    /// What becomes of commands that hold a secret.
    var redaction = HistoryRedaction.remove
    private var loaded: [String]?
    /// Entries added before the file was read.
    private var added: [String] = []

    /// A history kept at `path`, or only in memory when that is `nil`, empty or `/dev/null`.
    init(path: String?) {
        self.path = path.flatMap { $0.isEmpty || $0 == "/dev/null" ? nil : $0 }
    }

    /// Goes on with another file; what was typed before stays in the old one.
    func use(path: String) {
        let next = path.isEmpty || path == "/dev/null" ? nil : path
        guard next != self.path else { return }
        self.path = next
        loaded = nil
        added = []
    }

    /// All entries, oldest first; reads the file the first time.
    var entries: [String] {
        if let loaded { return loaded }
        // What this session added is on file already, unless it could not be written.
        var all = read() ?? []
        if !all.suffix(added.count).elementsEqual(added) { all += added }
        if all.count > Self.maximumCount { all.removeFirst(all.count - Self.maximumCount) }
        loaded = all
        return all
    }

    /// Whether `entries` has been read.
    var isLoaded: Bool { loaded != nil }

    /// Remembers an entry, unless it repeats the last one or must not be kept.
    func add(_ entry: String) {
        guard let entry = HistoryPolicy.remembered(entry, redaction), (loaded?.last ?? added.last) != entry else {
            return
        }
        if loaded != nil {
            loaded?.append(entry)
            if let count = loaded?.count, count > Self.maximumCount { loaded?.removeFirst(count - Self.maximumCount) }
        } else {
            added.append(entry)
        }
        if entry.utf8.count <= HistoryPolicy.maximumEntryBytes { append(entry) }
    }

    // MARK: The file

    /// Opens the file if it is a regular file of ours: no link, no FIFO, no device.
    private func open(_ flags: CInt) -> CInt? {
        guard let path else { return nil }
        let descriptor = Glibc.open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0o600)
        guard descriptor >= 0 else { return nil }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_uid == geteuid() else {
            close(descriptor)
            return nil
        }
        return descriptor
    }

    private func read() -> [String]? {
        guard let descriptor = open(O_RDONLY) else { return nil }
        defer { close(descriptor) }
        return Self.contents(descriptor).map(HistoryFormat.entries(of:))
    }

    private static func contents(_ descriptor: CInt) -> [UInt8]? {
        let size = lseek(descriptor, 0, SEEK_END)
        guard size >= 0, lseek(descriptor, max(0, size - maximumFileBytes), SEEK_SET) >= 0 else { return nil }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while bytes.count < maximumFileBytes {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            guard count > 0 else { break }
            bytes += chunk[..<count]
        }
        return bytes
    }

    /// Writes one entry under the lock. A file that cannot be written costs the history, not the session.
    private func append(_ entry: String) {
        guard let descriptor = lockedDescriptor() else { return }
        defer { close(descriptor) }  // which releases the lock
        fchmod(descriptor, 0o600)
        let size = lseek(descriptor, 0, SEEK_END)
        var text = HistoryFormat.escape(entry) + "\n"
        if size == 0 {
            text = HistoryFormat.header + "\n" + text
        } else {
            let head = Self.bytes(descriptor, at: 0, count: HistoryFormat.header.utf8.count + 1)
            if head != [UInt8]((HistoryFormat.header + "\n").utf8) || size > Self.maximumFileBytes {
                if let bytes = Self.contents(descriptor) { replace(with: HistoryFormat.entries(of: bytes) + [entry]) }
                return
            }
            // A process that was killed in the middle of a write leaves a line without an end.
            if Self.bytes(descriptor, at: size - 1, count: 1) != [0x0A] { text = "\n" + text }
        }
        _ = writeAll(descriptor, [UInt8](text.utf8))
    }

    /// Opens and locks the file; again when another shell has replaced it meanwhile.
    private func lockedDescriptor() -> CInt? {
        guard let path else { return nil }
        for _ in 0..<16 {
            guard let descriptor = open(O_RDWR | O_CREAT | O_APPEND) else { return nil }
            var mine = stat()
            var present = stat()
            if flock(descriptor, LOCK_EX) == 0, fstat(descriptor, &mine) == 0, lstat(path, &present) == 0,
                mine.st_ino == present.st_ino, mine.st_dev == present.st_dev
            {
                return descriptor
            }
            close(descriptor)
        }
        return nil
    }

    private static func bytes(_ descriptor: CInt, at offset: off_t, count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let got = pread(descriptor, &bytes, count, offset)
        return Array(bytes.prefix(max(0, got)))
    }

    /// Drops the oldest entries from a file that holds a tenth more than are used. For the end of a session.
    func trim() {
        guard let loaded, loaded.count >= Self.maximumCount, let descriptor = lockedDescriptor() else { return }
        defer { close(descriptor) }
        guard let bytes = Self.contents(descriptor) else { return }
        let entries = HistoryFormat.entries(of: bytes)
        if entries.count > Self.maximumCount + Self.maximumCount / 10 { replace(with: entries) }
    }

    /// Replaces the file by one in our format with the newest of these entries. The caller holds the lock.
    private func replace(with entries: [String]) {
        guard let path else { return }
        let kept = entries.suffix(Self.maximumCount).map(HistoryFormat.escape)
        let text = ([HistoryFormat.header] + kept).joined(separator: "\n") + "\n"
        let fresh = "\(path).\(getpid())"
        let target = Glibc.open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard target >= 0 else { return }
        defer { close(target) }
        if writeAll(target, [UInt8](text.utf8)) != 0 || fsync(target) != 0 || rename(fresh, path) != 0 { unlink(fresh) }
    }
}
