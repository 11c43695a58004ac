import CNexaSystem
import Glibc

/// Where a stream socket connects to or listens: an IP address with a port, or a path.
public struct SocketAddress: Sendable, Hashable, CustomStringConvertible {
    private enum Storage: Hashable {
        /// The bytes of a `sockaddr_in` or `sockaddr_in6`.
        case ip([UInt8])
        case unix(String)
    }

    private let storage: Storage

    /// A Unix domain socket at a file system path, of any length the file system takes.
    public static func unix(_ path: String) -> SocketAddress {
        SocketAddress(storage: .unix(path))
    }

    /// An IP address from its text form (`"127.0.0.1"`, `"::1"`, `"fe80::1%eth0"`); `nil` for a name.
    public init?(numericHost: String, port: UInt16) {
        guard let first = Resolver.lookUp(numericHost, port: port, onlyNumeric: true).first else { return nil }
        self = first
    }

    private init(storage: Storage) { self.storage = storage }

    /// An address that the system filled in; `nil` for a family this module does not use.
    init?(system: sockaddr_storage, length: socklen_t) {
        switch CInt(system.ss_family) {
        case AF_INET, AF_INET6:
            let size =
                CInt(system.ss_family) == AF_INET ? MemoryLayout<sockaddr_in>.size : MemoryLayout<sockaddr_in6>.size
            guard Int(length) >= size else { return nil }
            storage = .ip(withUnsafeBytes(of: system) { [UInt8]($0.prefix(size)) })
        case AF_UNIX:
            let offset = MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? 2
            let path = withUnsafeBytes(of: system) { $0.prefix(Int(length)).dropFirst(offset).prefix { $0 != 0 } }
            storage = .unix(String(decoding: path, as: UTF8.self))
        default: return nil
        }
    }

    init?(_ address: UnsafePointer<sockaddr>, length: socklen_t) {
        guard Int(length) <= MemoryLayout<sockaddr_storage>.size else { return nil }
        var system = sockaddr_storage()
        withUnsafeMutableBytes(of: &system) {
            $0.copyMemory(from: UnsafeRawBufferPointer(start: address, count: Int(length)))
        }
        self.init(system: system, length: length)
    }

    /// The address family, `AF_INET`, `AF_INET6` or `AF_UNIX`.
    var family: CInt {
        switch storage {
        case .ip(let bytes): bytes.count == MemoryLayout<sockaddr_in>.size ? AF_INET : AF_INET6
        case .unix: AF_UNIX
        }
    }

    /// Whether this is a path rather than an IP address.
    public var isUnix: Bool { path != nil }

    /// The path of a Unix domain socket.
    public var path: String? {
        if case .unix(let path) = storage { path } else { nil }
    }

    /// The port of an IP address.
    public var port: UInt16? {
        guard case .ip(let bytes) = storage else { return nil }
        return UInt16(bytes[2]) << 8 | UInt16(bytes[3])  // The same offset in both families, big-endian.
    }

    /// The numeric host of an IP address, without brackets.
    public var host: String? {
        guard case .ip(let bytes) = storage else { return nil }
        return bytes.withUnsafeBytes { raw -> String? in
            guard let base = raw.baseAddress else { return nil }
            return withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(NI_MAXHOST)) { name -> String? in
                guard let text = name.baseAddress else { return nil }
                let result = getnameinfo(
                    base.assumingMemoryBound(to: sockaddr.self), socklen_t(raw.count),
                    text, socklen_t(name.count), nil, 0, NI_NUMERICHOST)
                return result == 0 ? String(cString: text) : nil
            }
        }
    }

    /// The bytes that name the owner of an IP address: four of IPv4, the first eight of IPv6.
    public var network: [UInt8]? {
        guard case .ip(let bytes) = storage else { return nil }
        return Array(family == AF_INET6 ? bytes[8..<16] : bytes[4..<8])
    }

    /// Whether only processes of this machine can be at the other end: a path, 127.0.0.0/8 or ::1.
    public var isLocal: Bool {
        guard case .ip(let bytes) = storage else { return true }
        return family == AF_INET6
            ? bytes[8..<23].allSatisfy { $0 == 0 } && bytes[23] == 1 : bytes[4] == 127
    }

    /// `127.0.0.1:6970`, `[::1]:6970` or `unix:/path`.
    public var description: String {
        switch storage {
        case .unix(let path): "unix:\(path)"
        case .ip:
            family == AF_INET6 ? "[\(host ?? "?")]:\(port ?? 0)" : "\(host ?? "?"):\(port ?? 0)"
        }
    }

    /// Calls `body` with the system's form of the address.
    ///
    /// A path that does not fit `sockaddr_un` (107 bytes) is reached through its directory, as
    /// `/proc/self/fd/N/name`; the directory stays open while `body` runs.
    func withSystemAddress<R>(
        _ body: (UnsafeRawPointer, socklen_t) throws(TransportError) -> R
    ) throws(TransportError) -> R {
        switch storage {
        case .ip(let bytes):
            return try withBytes(bytes) { (raw) throws(TransportError) in try body(raw, socklen_t(bytes.count)) }
        case .unix(let path):
            guard path.utf8.count > NEXA_UNIX_PATH_MAXIMUM else { return try Self.withUnixAddress(path, body) }
            guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else {
                throw TransportError("socket address", code: ENAMETOOLONG, subject: path)
            }
            let directory = path[...slash]
            let descriptor = nexa_open_directory(String(directory))
            guard descriptor >= 0 else { throw .current("open", subject: String(directory)) }
            defer { _ = Glibc.close(descriptor) }
            let short = "/proc/self/fd/\(descriptor)/\(path[path.utf8.index(after: slash)...])"
            guard short.utf8.count <= NEXA_UNIX_PATH_MAXIMUM else {
                throw TransportError("socket address", code: ENAMETOOLONG, subject: path)
            }
            return try Self.withUnixAddress(short, body)
        }
    }

    private static func withUnixAddress<R>(
        _ path: String, _ body: (UnsafeRawPointer, socklen_t) throws(TransportError) -> R
    ) throws(TransportError) -> R {
        guard !path.isEmpty, !path.utf8.contains(0) else {
            throw TransportError("socket address", code: EINVAL, subject: path)
        }
        let offset = MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? 2
        var bytes = [UInt8](repeating: 0, count: offset)
        withUnsafeBytes(of: sa_family_t(AF_UNIX)) { bytes.replaceSubrange(0..<$0.count, with: $0) }
        bytes += path.utf8
        bytes.append(0)
        return try withBytes(bytes) { (raw) throws(TransportError) in try body(raw, socklen_t(bytes.count)) }
    }
}

/// `withUnsafeBytes` of a non-empty array, with a typed error.
private func withBytes<R>(
    _ bytes: [UInt8], _ body: (UnsafeRawPointer) throws(TransportError) -> R
) throws(TransportError) -> R {
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: max(bytes.count, 1), alignment: 8)
    defer { copy.deallocate() }
    copy.copyBytes(from: bytes)
    guard let base = copy.baseAddress else { throw TransportError("socket address", code: EINVAL) }
    return try body(UnsafeRawPointer(base))
}
