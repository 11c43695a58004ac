/// Up to where the tables hold everything, and the store's salt for log checksums. A small text file,
/// replaced as a whole.
struct Checkpoint: Equatable {
    /// Every commit up to this one is in the tables.
    var sequence: UInt64
    /// See `LogFormat`.
    var salt: UInt32

    private static let name = "/CHECKPOINT"

    /// The checkpoint of a directory, or `nil` when it has never been opened.
    static func read(directory: String) throws(StorageError) -> Checkpoint? {
        let path = directory + name
        guard let bytes = try File.contents(of: path) else { return nil }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n").map { $0.split(separator: " ") }
        guard lines.count == 3, lines[0].count == 2, lines[1].count == 2, lines[2].count == 2,
            let sequence = UInt64(lines[0][1]), let salt = UInt32(lines[1][1], radix: 16),
            let checksum = UInt32(lines[2][1], radix: 16),
            Checkpoint(sequence: sequence, salt: salt).checksum == checksum
        else {
            throw StorageError(.corrupted, "\(path) is damaged", advice: "Restore the data directory from a backup")
        }
        return Checkpoint(sequence: sequence, salt: salt)
    }

    /// Makes this the checkpoint, durably.
    func write(directory: String) throws(StorageError) {
        try File.replace(directory + Self.name, with: "\(body)checksum \(String(checksum, radix: 16))\n")
    }

    private var body: String { "sequence \(sequence)\nsalt \(String(salt, radix: 16))\n" }
    private var checksum: UInt32 { [UInt8](body.utf8).withUnsafeBytes { CRC32C.checksum($0) } }
}
