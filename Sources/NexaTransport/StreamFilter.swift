/// A layer that turns the bytes of a protocol into those on the wire and back: TLS. It does no I/O.
///
/// Everything happens under the lock of the one `FilteredSocket` that owns the filter.
public protocol StreamFilter: AnyObject, Sendable {
    /// Whether both sides know each other: bytes of the protocol can be written.
    var isEstablished: Bool { get }
    /// Why the filter gave up, in words for a person. Nothing can be read or written any more.
    var failure: FilterFailure? { get }
    /// Goes on with the handshake, as far as the bytes that have come allow.
    func shakeHands() -> FilterProgress
    /// Takes bytes that came over the wire; at most `FilteredSocket.wireChunk`, and only after it wanted more.
    func feed(_ bytes: UnsafeRawBufferPointer)
    /// Gives bytes of the protocol. The buffer is not empty.
    func read(into buffer: UnsafeMutableRawBufferPointer) -> FilterRead
    /// Takes bytes of the protocol, all of them; `false` when it has failed.
    func write(_ bytes: UnsafeRawBufferPointer) -> Bool
    /// Says that no more bytes of the protocol follow.
    func endWriting()
    /// Appends what has to go over the wire.
    func drain(into bytes: inout [UInt8])
}

/// How far a handshake is.
public enum FilterProgress: Sendable, Equatable {
    case done
    case wantsMore
    case failed
}

/// What a filter gave.
public enum FilterRead: Sendable, Equatable {
    case moved(Int)
    case wantsMore
    /// The peer said that this was all.
    case endOfStream
    case failed
}

/// Why a filter gave up.
public struct FilterFailure: Error, Sendable, Hashable, CustomStringConvertible {
    /// One sentence: what happened, and what to do about it.
    public let message: String
    /// Trying again may help: the connection broke, nobody was refused.
    public let mayPass: Bool

    /// Creates a failure.
    public init(_ message: String, mayPass: Bool = false) {
        self.message = message
        self.mayPass = mayPass
    }

    /// The message.
    public var description: String { message }
}
