import CNexaVector
import Glibc

/// The frames of an image: after the head, blocks of at most a mebibyte, each after its length and its CRC-32C.
enum ImageFrame {
    static let limit = 1 << 20
    static let magic: [UInt8] = Array("NEXAVEC\n".utf8)
    static let version: UInt32 = 1
    static let headBytes = 80
}

extension VectorError {
    /// The error of the system call that just failed.
    static func system(_ verb: String, _ path: String, number: Int32 = errno) -> VectorError {
        let message = "Cannot \(verb) \(path): \(String(cString: strerror(number)))"
        return switch number {
        case ENOSPC, EDQUOT: VectorError(.diskFull, message, advice: "Free space on the device")
        default: VectorError(.inputOutput, message, advice: "Check the path, its permissions and the device")
        }
    }

    static func damaged(_ path: String, _ what: String) -> VectorError {
        VectorError(
            .corrupted, "The vector index image \(path) is damaged: \(what)",
            advice: "Remove it; the index is then built from the stored vectors")
    }
}

/// Writes the frames of an image.
final class ImageWriter {
    private let descriptor: Int32
    private let path: String
    private var buffer: UnsafeMutableRawPointer
    private var filled = 8
    private(set) var written = 0

    init(_ path: String) throws(VectorError) {
        self.path = path
        descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .system("create", path) }
        buffer = .allocate(byteCount: ImageFrame.limit + 8, alignment: 64)
    }

    deinit {
        close(descriptor)
        buffer.deallocate()
    }

    /// Adds bytes to the frames.
    func add(_ bytes: UnsafeRawPointer, _ count: Int) throws(VectorError) {
        var bytes = bytes
        var rest = count
        while rest > 0 {
            let some = min(rest, ImageFrame.limit + 8 - filled)
            (buffer + filled).copyMemory(from: bytes, byteCount: some)
            filled += some
            bytes += some
            rest -= some
            if filled == ImageFrame.limit + 8 { try flush() }
        }
    }

    /// Adds a number, its lowest byte first.
    func add<Number: FixedWidthInteger>(_ number: Number) throws(VectorError) {
        var bytes = number.littleEndian
        let size = MemoryLayout<Number>.size
        guard filled + size < ImageFrame.limit + 8 else {
            try withUnsafeBytes(of: &bytes) { pointer -> Result<Void, VectorError> in
                Result { () throws(VectorError) in
                    if let start = pointer.baseAddress { try add(start, size) }
                }
            }.get()
            return
        }
        (buffer + filled).storeBytes(of: bytes, as: Number.self)
        filled += size
    }

    /// Writes the frame that is not full.
    func flush() throws(VectorError) {
        guard filled > 8 else { return }
        buffer.storeBytes(of: UInt32(filled - 8).littleEndian, as: UInt32.self)
        buffer.storeBytes(
            of: nexa_crc32c(0, buffer + 8, filled - 8).littleEndian, toByteOffset: 4, as: UInt32.self)
        try write(buffer, filled, at: ImageFrame.headBytes + written)
        written += filled
        filled = 8
    }

    /// Writes the head, now that the length is known, and waits until all is on the device.
    func finish(head: [UInt8]) throws(VectorError) {
        let result = head.withUnsafeBytes { bytes in
            Result { () throws(VectorError) in
                if let start = bytes.baseAddress { try write(start, bytes.count, at: 0) }
            }
        }
        try result.get()
        guard fsync(descriptor) == 0 else { throw .system("flush", path) }
    }

    private func write(_ bytes: UnsafeRawPointer, _ count: Int, at offset: Int) throws(VectorError) {
        var done = 0
        while done < count {
            let some = pwrite(descriptor, bytes + done, count - done, off_t(offset + done))
            if some < 0, errno == EINTR { continue }
            guard some > 0 else { throw .system("write to", path) }
            done += some
        }
    }
}

/// Reads the frames of an image.
final class ImageReader {
    private let descriptor: Int32
    let path: String
    let size: Int
    let head: [UInt8]
    private var offset = ImageFrame.headBytes
    private let buffer: UnsafeMutableRawPointer
    private var position = 0
    private var filled = 0

    init(_ path: String) throws(VectorError) {
        self.path = path
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system("open", path) }
        buffer = .allocate(byteCount: ImageFrame.limit, alignment: 64)
        var status = stat()
        size = fstat(descriptor, &status) == 0 ? Int(status.st_size) : 0
        var bytes = [UInt8](repeating: 0, count: ImageFrame.headBytes)
        let count = pread(descriptor, &bytes, ImageFrame.headBytes, 0)
        head = count == ImageFrame.headBytes ? bytes : []
    }

    deinit {
        close(descriptor)
        buffer.deallocate()
    }

    /// Whether everything was read.
    var isAtEnd: Bool { position == filled && offset == size }

    /// Takes bytes out of the frames.
    func take(_ bytes: UnsafeMutableRawPointer, _ count: Int) throws(VectorError) {
        var done = 0
        while done < count {
            if position == filled { try fill() }
            let some = min(count - done, filled - position)
            (bytes + done).copyMemory(from: buffer + position, byteCount: some)
            position += some
            done += some
        }
    }

    /// Takes a number.
    func take<Number: FixedWidthInteger & BitwiseCopyable>(_ type: Number.Type) throws(VectorError) -> Number {
        let size = MemoryLayout<Number>.size
        if position + size <= filled {
            defer { position += size }
            return Number(littleEndian: buffer.loadUnaligned(fromByteOffset: position, as: Number.self))
        }
        var number: Number = 0
        for index in 0..<size {
            var byte: UInt8 = 0
            try take(&byte, 1)
            number |= Number(truncatingIfNeeded: byte) << Number(8 * index)
        }
        return number
    }

    private func fill() throws(VectorError) {
        try read(8)
        let length = Int(UInt32(littleEndian: buffer.load(as: UInt32.self)))
        let checksum = UInt32(littleEndian: buffer.load(fromByteOffset: 4, as: UInt32.self))
        guard 1...ImageFrame.limit ~= length else { throw .damaged(path, "a block has \(length) bytes") }
        try read(length)
        guard nexa_crc32c(0, buffer, length) == checksum else { throw .damaged(path, "a checksum does not match") }
        (position, filled) = (0, length)
    }

    private func read(_ count: Int) throws(VectorError) {
        guard count <= size - offset else { throw .damaged(path, "it ends early") }
        var done = 0
        while done < count {
            let some = pread(descriptor, buffer + done, count - done, off_t(offset + done))
            if some < 0, errno == EINTR { continue }
            guard some > 0 else { throw .damaged(path, "it cannot be read to its end") }
            done += some
        }
        offset += count
    }
}
