import CZlib

/// Unpacks a stream of gzip (RFC 1952), a piece at a time; members one behind the other are one stream.
final class Gunzip {
    /// The bytes that a gzip stream begins with.
    static let magic: [UInt8] = [0x1F, 0x8B]
    private static let pieceBytes = 256 << 10

    /// In a place of its own: zlib remembers where it is.
    private let stream: UnsafeMutablePointer<z_stream>
    private var isBetweenMembers = true
    /// The last piece was full: there may be more without further bytes.
    private var wasFull = false
    private let isReady: Bool

    init() {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        isReady = inflateInit2_(stream, 15 + 16, ZLIB_VERSION, CInt(MemoryLayout<z_stream>.size)) == Z_OK
    }

    deinit {
        if isReady { inflateEnd(stream) }
        stream.deallocate()
    }

    /// Unpacks some of the bytes from an offset on, and moves that; returns `nil` when they are used up.
    ///
    /// - Throws: `ScanFault` when they are no gzip.
    func next(_ bytes: [UInt8], _ offset: inout Int) throws(ScanFault) -> [UInt8]? {
        guard isReady else { throw ScanFault(message: "there is no memory to unpack it") }
        while offset < bytes.count || wasFull {
            if isBetweenMembers {
                guard offset < bytes.count else { return nil }
                inflateReset(stream)
                isBetweenMembers = false
            }
            var piece = [UInt8](repeating: 0, count: Self.pieceBytes)
            let (code, used, made) = step(bytes, offset, &piece)
            offset += used
            wasFull = made == piece.count
            switch code {
            case Z_OK: break
            case Z_BUF_ERROR: if used == 0, made == 0 { return nil }
            case Z_STREAM_END:
                isBetweenMembers = true
                wasFull = false
            default: throw ScanFault(message: "its packed data are damaged")
            }
            if made > 0 { return made == piece.count ? piece : Array(piece[..<made]) }
        }
        return nil
    }

    /// The packed bytes are at their end.
    func finish() throws(ScanFault) {
        if !isBetweenMembers { throw ScanFault(message: "it ends in the middle of its packed data") }
    }

    private func step(_ bytes: [UInt8], _ offset: Int, _ piece: inout [UInt8]) -> (code: CInt, used: Int, made: Int) {
        bytes.withUnsafeBufferPointer { input in
            piece.withUnsafeMutableBufferPointer { output in
                guard let source = input.baseAddress else { return (Z_BUF_ERROR, 0, 0) }
                // zlib does not write to its input; the type of the field is older than `const`.
                stream.pointee.next_in = UnsafeMutablePointer(mutating: source + offset)
                stream.pointee.avail_in = UInt32(input.count - offset)
                stream.pointee.next_out = output.baseAddress
                stream.pointee.avail_out = UInt32(output.count)
                let code = inflate(stream, Z_NO_FLUSH)
                let (left, room) = (Int(stream.pointee.avail_in), Int(stream.pointee.avail_out))
                return (code, input.count - offset - left, output.count - room)
            }
        }
    }
}
