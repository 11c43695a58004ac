public import NexaValue

/// The head of every frame: 12 bytes, big-endian.
///
/// `magic u32 "NEXA" · version u8 = 1 · type u8 · flags u16 · payload length u32`, then one MessagePack
/// value. Frames carry no request id: replies come strictly in the order of the requests.
public struct FrameHeader: Sendable, Hashable {
    /// "NEXA" in ASCII.
    public static let magic: UInt32 = 0x4E45_5841
    /// The only version there is.
    public static let version: UInt8 = 1
    /// The size of the head in bytes.
    public static let byteCount = 12
    /// The default port of the protocol.
    public static let defaultPort = 6970

    /// What the payload is.
    public var type: MessageType
    /// Sent as 0 by everyone, never read.
    public var flags: UInt16
    /// The number of payload bytes behind the head.
    public var payloadByteCount: Int

    /// Creates a head.
    public init(type: MessageType, flags: UInt16 = 0, payloadByteCount: Int) {
        self.type = type
        self.flags = flags
        self.payloadByteCount = payloadByteCount
    }

    /// Reads a head from its 12 bytes at an offset; the caller makes sure that they are there.
    ///
    /// - Throws: `FrameError` when this is not NexaDB's protocol, or another version of it.
    public init(_ bytes: RawSpan, at offset: Int) throws(FrameError) {
        let magic = UInt32(bigEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
        guard magic == Self.magic else { throw .wrongMagic(magic) }
        let version = unsafe bytes.unsafeLoad(fromByteOffset: offset + 4, as: UInt8.self)
        guard version == Self.version else { throw .unsupportedVersion(version) }
        type = MessageType(rawValue: unsafe bytes.unsafeLoad(fromByteOffset: offset + 5, as: UInt8.self))
        flags = UInt16(bigEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset + 6, as: UInt16.self))
        let length = UInt32(bigEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset + 8, as: UInt32.self))
        payloadByteCount = Int(length)
    }
}

/// Why bytes are not an acceptable frame. Every one of these ends the connection: what follows cannot be trusted.
public enum FrameError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The bytes do not begin with "NEXA".
    case wrongMagic(UInt32)
    /// Another version of the protocol.
    case unsupportedVersion(UInt8)
    /// The head announces more payload than is accepted here.
    case tooLarge(byteCount: Int, limit: Int)

    /// In the words of NexaDB 3.0, where it has words.
    public var description: String {
        switch self {
        case .wrongMagic(let magic): "Invalid protocol magic: 0x\(String(magic, radix: 16))"
        case .unsupportedVersion(let version): "Unsupported protocol version: \(version)"
        case .tooLarge(let byteCount, let limit):
            "Frame of \(byteCount) bytes exceeds the limit of \(limit) bytes; send less at once or raise the limit"
        }
    }
}

/// A frame found in a buffer.
public struct Frame: Sendable, Hashable {
    /// The head.
    public var header: FrameHeader
    /// Where the payload lies in the buffer.
    public var payload: Range<Int>
}

/// Finds frames in bytes that arrive in any pieces.
///
/// The buffer belongs to the caller. A head that announces too much is refused before any memory is
/// reserved for it.
public struct FrameDecoder: Sendable {
    /// The largest payload accepted, in bytes; may change between frames (it is small before login).
    public var maximumPayloadByteCount: Int

    /// Creates a decoder; the default limit is 64 MiB.
    public init(maximumPayloadByteCount: Int = 64 << 20) {
        self.maximumPayloadByteCount = maximumPayloadByteCount
    }

    /// The frame that begins at an offset, or `nil` when it has not arrived whole.
    ///
    /// - Throws: `FrameError` as soon as the head is there and unacceptable.
    public func frame(in bytes: RawSpan, at offset: Int) throws(FrameError) -> Frame? {
        guard bytes.byteCount - offset >= FrameHeader.byteCount else { return nil }
        let header = try FrameHeader(bytes, at: offset)
        guard header.payloadByteCount <= maximumPayloadByteCount else {
            throw .tooLarge(byteCount: header.payloadByteCount, limit: maximumPayloadByteCount)
        }
        let start = offset + FrameHeader.byteCount
        guard bytes.byteCount - start >= header.payloadByteCount else { return nil }
        return Frame(header: header, payload: start..<start + header.payloadByteCount)
    }
}

extension MessagePackWriter {
    /// Writes the head of a frame whose length is not known yet; give the result to `endFrame`.
    public mutating func beginFrame(_ type: MessageType) -> Int {
        let start = count
        writeRaw(bigEndian: FrameHeader.magic)
        writeRaw(bigEndian: UInt32(FrameHeader.version) << 24 | UInt32(type.rawValue) << 16)
        writeRaw(bigEndian: UInt32(0))
        return start
    }

    /// Fills in the length of the frame begun at `start`.
    public mutating func endFrame(_ start: Int) {
        patch(UInt32(count - start - FrameHeader.byteCount), at: start + 8)
    }
}
