import Glibc

/// What a backup holds, with what is needed to tell whether all of it is still there. A text file, written last:
/// a directory without one is no finished backup.
public struct BackupManifest: Sendable, Hashable {
    /// One file of a backup.
    public struct Entry: Sendable, Hashable {
        /// Below the directory of the backup, such as `tables/000012.sst`.
        public var path: String
        /// In bytes.
        public var size: Int
        /// CRC-32C of the content.
        public var checksum: UInt32
    }

    static let name = "MANIFEST"
    private static let magic = "nexadb backup 1"

    /// The version of the on-disk format of the data.
    public var format: Int
    /// The last commit in it.
    public var sequence: UInt64
    /// Seconds since 1970.
    public var createdAt: Int
    /// All files but the manifest itself.
    public var files: [Entry]

    /// The size of all files together, in bytes.
    public var byteCount: Int { files.reduce(0) { $0 + $1.size } }

    /// Reads the manifest of a backup.
    ///
    /// - Throws: `.notABackup` when there is none, `.corrupted`, `.formatTooNew`.
    public init(directory: String) throws(StorageError) {
        let path = directory + "/" + Self.name
        guard let bytes = try File.contents(of: path, limit: 256 << 20) else {
            throw StorageError(
                .notABackup, "\(directory) has no file \(Self.name), so it is no backup, or one that was not finished",
                advice: "Choose a directory that 'nexadb backup' has made")
        }
        let damaged = StorageError(.corrupted, "\(path) is damaged", advice: "Use another backup")
        var lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        guard let end = lines.popLast()?.split(separator: " "), end.count == 2, end[0] == "end",
            let checksum = UInt32(end[1], radix: 16)
        else { throw damaged }
        let body = lines.map { $0 + "\n" }.joined()
        guard Self.checksum(of: body) == checksum else { throw damaged }
        guard lines.first.map(String.init) == Self.magic else {
            throw StorageError(
                .formatTooNew, "\(path) is of another version", advice: "Use a server of the version that made it")
        }
        func number(_ line: Int, _ word: String) throws(StorageError) -> UInt64 {
            let parts = line < lines.count ? lines[line].split(separator: " ") : []
            guard parts.count == 2, parts[0] == word, let number = UInt64(parts[1]) else { throw damaged }
            return number
        }
        format = Int(clamping: try number(1, "format"))
        sequence = try number(2, "sequence")
        createdAt = Int(clamping: try number(3, "created"))
        files = []
        for line in lines.dropFirst(4) {
            let parts = line.split(separator: " ", maxSplits: 3)
            guard parts.count == 4, parts[0] == "file", let size = Int(parts[1]), size >= 0,
                let checksum = UInt32(parts[2], radix: 16), Self.isAllowed(String(parts[3]))
            else { throw damaged }
            files.append(Entry(path: String(parts[3]), size: size, checksum: checksum))
        }
        guard format <= FormatVersion.current else { throw FormatVersion.tooNew(directory, format) }
    }

    init(sequence: UInt64, files: [Entry]) {
        format = FormatVersion.current
        self.sequence = sequence
        createdAt = time(nil)
        self.files = files
    }

    func write(directory: String) throws(StorageError) {
        var body = "\(Self.magic)\nformat \(format)\nsequence \(sequence)\ncreated \(createdAt)\n"
        for file in files { body += "file \(file.size) \(String(file.checksum, radix: 16)) \(file.path)\n" }
        try File.replace(
            directory + "/" + Self.name, with: body + "end \(String(Self.checksum(of: body), radix: 16))\n")
    }

    private static func checksum(of body: String) -> UInt32 {
        [UInt8](body.utf8).withUnsafeBytes { CRC32C.checksum($0) }
    }

    /// Whoever changed a manifest must not have files written outside of the data directory.
    private static func isAllowed(_ path: String) -> Bool {
        if ["FORMAT", "CHECKPOINT"].contains(path) { return true }
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        return parts.count == 2 && ["tables", "log"].contains(parts[0]) && !["", ".", ".."].contains(parts[1])
    }
}
