/// The bytes of a commit log file.
///
/// A file begins with a header of 64 bytes and holds records, each at a multiple of 8 bytes. All numbers
/// are little-endian. A record has a header of 32 bytes and a batch as payload:
///
/// | offset | size | |
/// |---|---|---|
/// | 0 | 4 | magic |
/// | 4 | 4 | length of the payload |
/// | 8 | 8 | commit sequence: one more than that of the record before |
/// | 16 | 8 | the sequence known to be on the device when this record was written |
/// | 24 | 4 | CRC-32C of the payload |
/// | 28 | 4 | CRC-32C of the 28 bytes before |
///
/// The file header names the run (one opening of the store) that wrote the file, and the run that wrote the
/// record before its first one: two histories that parted, by a restored backup or by commits that a power cut
/// took, differ in their runs even where their sequences agree.
///
/// The header has a checksum of its own so that a damaged payload does not hide where the next record
/// begins; it is seeded with a random number of the store, so that bytes inside a document can never pass
/// for a record when a damaged place is searched. The durable sequence is what tells damage from a power cut: a record that a later record
/// declares durable had been acknowledged; one that nobody does may simply never have been written.
/// The file is filled with zeros ahead of the records, because a write that does not grow the file
/// costs the device one flush instead of two.
enum LogFormat {
    static let fileHeaderSize = 64
    static let recordHeaderSize = 32
    static let alignment = 8
    private static let fileMagic: UInt64 = 0x3130_474F_4C58_454E  // "NEXLOG01"
    private static let recordMagic: UInt32 = 0x4352_584E  // "NXRC"

    struct FileHeader: Equatable {
        var number: UInt64
        var firstSequence: UInt64
        /// Who wrote the file; 0 in files of before there were runs.
        var run: UInt64 = 0
        /// Who wrote the record before `firstSequence`; 0 when nobody knows.
        var previousRun: UInt64 = 0
    }

    struct RecordHeader: Equatable {
        var payloadLength: Int
        var sequence: UInt64
        var durableSequence: UInt64
        var payloadChecksum: UInt32

        /// Header, payload and padding.
        var recordSize: Int { LogFormat.recordSize(payload: payloadLength) }
    }

    static func recordSize(payload length: Int) -> Int {
        (recordHeaderSize + length + alignment - 1) & ~(alignment - 1)
    }

    /// The name of a file, so that names sort as numbers do.
    static func fileName(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: max(0, 16 - digits.count)) + digits + ".log"
    }

    static func fileNumber(_ name: String) -> UInt64? {
        guard name.hasSuffix(".log"), name.utf8.count == 20 else { return nil }
        return UInt64(name.dropLast(4), radix: 16)
    }

    static func write(_ header: FileHeader, to buffer: UnsafeMutableRawBufferPointer) {
        buffer.storeBytes(of: fileMagic.littleEndian, toByteOffset: 0, as: UInt64.self)
        buffer.storeBytes(of: header.number.littleEndian, toByteOffset: 8, as: UInt64.self)
        buffer.storeBytes(of: header.firstSequence.littleEndian, toByteOffset: 16, as: UInt64.self)
        let checksum = CRC32C.checksum(UnsafeRawBufferPointer(rebasing: buffer[0..<24]))
        buffer.storeBytes(of: checksum.littleEndian, toByteOffset: 24, as: UInt32.self)
        buffer.storeBytes(of: header.run.littleEndian, toByteOffset: 32, as: UInt64.self)
        buffer.storeBytes(of: header.previousRun.littleEndian, toByteOffset: 40, as: UInt64.self)
        let runs = CRC32C.checksum(UnsafeRawBufferPointer(rebasing: buffer[32..<48]), continuing: checksum)
        buffer.storeBytes(of: runs.littleEndian, toByteOffset: 48, as: UInt32.self)
    }

    static func readFileHeader(_ bytes: UnsafeRawBufferPointer) -> FileHeader? {
        guard bytes.count >= fileHeaderSize, integer(bytes, 0, UInt64.self) == fileMagic,
            CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[0..<24])) == integer(bytes, 24, UInt32.self)
        else { return nil }
        var header = FileHeader(number: integer(bytes, 8, UInt64.self), firstSequence: integer(bytes, 16, UInt64.self))
        let checksum = integer(bytes, 24, UInt32.self)
        let runs = CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[32..<48]), continuing: checksum)
        if runs == integer(bytes, 48, UInt32.self) {
            header.run = integer(bytes, 32, UInt64.self)
            header.previousRun = integer(bytes, 40, UInt64.self)
        }
        return header
    }

    static func write(_ header: RecordHeader, salt: UInt32, to buffer: UnsafeMutableRawBufferPointer) {
        buffer.storeBytes(of: recordMagic.littleEndian, toByteOffset: 0, as: UInt32.self)
        buffer.storeBytes(of: UInt32(header.payloadLength).littleEndian, toByteOffset: 4, as: UInt32.self)
        buffer.storeBytes(of: header.sequence.littleEndian, toByteOffset: 8, as: UInt64.self)
        buffer.storeBytes(of: header.durableSequence.littleEndian, toByteOffset: 16, as: UInt64.self)
        buffer.storeBytes(of: header.payloadChecksum.littleEndian, toByteOffset: 24, as: UInt32.self)
        let checksum = CRC32C.checksum(UnsafeRawBufferPointer(rebasing: buffer[0..<28]), continuing: salt)
        buffer.storeBytes(of: checksum.littleEndian, toByteOffset: 28, as: UInt32.self)
    }

    /// The header at an offset, when its checksum holds and its payload lies within the bytes.
    static func readRecordHeader(
        _ bytes: UnsafeRawBufferPointer, at offset: Int, salt: UInt32
    ) -> RecordHeader? {
        guard let header = readRecordHeaderAlone(bytes, at: offset, salt: salt),
            bytes.count - offset - recordHeaderSize >= header.payloadLength
        else { return nil }
        return header
    }

    /// The header at an offset, when its checksum holds, wherever its payload is.
    static func readRecordHeaderAlone(
        _ bytes: UnsafeRawBufferPointer, at offset: Int, salt: UInt32
    ) -> RecordHeader? {
        guard offset >= 0, bytes.count - offset >= recordHeaderSize,
            integer(bytes, offset, UInt32.self) == recordMagic,
            CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + 28]), continuing: salt)
                == integer(bytes, offset + 28, UInt32.self)
        else { return nil }
        return RecordHeader(
            payloadLength: Int(integer(bytes, offset + 4, UInt32.self)),
            sequence: integer(bytes, offset + 8, UInt64.self),
            durableSequence: integer(bytes, offset + 16, UInt64.self),
            payloadChecksum: integer(bytes, offset + 24, UInt32.self))
    }

    /// The record at an offset, when header and payload are whole.
    static func readRecord(
        _ bytes: UnsafeRawBufferPointer, at offset: Int, salt: UInt32
    ) -> (header: RecordHeader, payload: UnsafeRawBufferPointer)? {
        guard let header = readRecordHeader(bytes, at: offset, salt: salt) else { return nil }
        let start = offset + recordHeaderSize
        let payload = UnsafeRawBufferPointer(rebasing: bytes[start..<start + header.payloadLength])
        return CRC32C.checksum(payload) == header.payloadChecksum ? (header, payload) : nil
    }

    private static func integer<T: FixedWidthInteger & BitwiseCopyable>(
        _ bytes: UnsafeRawBufferPointer, _ offset: Int, _: T.Type
    ) -> T {
        T(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
    }
}
