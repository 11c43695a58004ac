import CNexaSystem
import Glibc
public import NexaProtocol
import Synchronization

/// Turns host names into addresses without blocking a reactor.
public enum Resolver {
    /// Resolves a host and port.
    ///
    /// An IP address in text form is answered at once, on the calling thread. A name is looked up on a
    /// thread of its own, since the system's look-up blocks; when `deadline` passes first, the answer is
    /// `ETIMEDOUT` and the late one is thrown away.
    ///
    /// - Parameter completion: called exactly once, on the reactor's thread or on the calling thread.
    public static func resolve(
        _ host: String, port: UInt16, deadline: MonotonicInstant, on reactor: Reactor,
        _ completion: @escaping @Sendable (Result<[SocketAddress], TransportError>) -> Void
    ) {
        let numeric = lookUp(host, port: port, onlyNumeric: true)
        if !numeric.isEmpty { return completion(.success(numeric)) }
        let pending = Pending(completion)
        do throws(TransportError) {
            try SystemThread(name: "nexa-resolver") {
                let found = lookUp(host, port: port, onlyNumeric: false)
                reactor.execute {
                    pending.complete(found.isEmpty ? .failure(unknown(host)) : .success(found))
                }
            }.detach()
        } catch {
            return pending.complete(.failure(error))
        }
        reactor.execute { [reactor] in
            let timer = reactor.schedule(at: deadline) {
                pending.complete(.failure(TransportError("resolve", code: ETIMEDOUT, subject: host)))
            }
            pending.onCompletion { reactor.cancel(timer) }
        }
    }

    // @unchecked: used on the reactor's thread only, once `resolve` has handed it over.
    /// The completion, until someone takes it.
    private final class Pending: @unchecked Sendable {
        private var completion: ((Result<[SocketAddress], TransportError>) -> Void)?
        private var cleanup: (() -> Void)?

        init(_ completion: @escaping @Sendable (Result<[SocketAddress], TransportError>) -> Void) {
            self.completion = completion
        }

        func onCompletion(_ body: @escaping () -> Void) {
            if completion == nil { body() } else { cleanup = body }
        }

        func complete(_ result: Result<[SocketAddress], TransportError>) {
            guard let completion else { return }
            self.completion = nil
            cleanup?()
            cleanup = nil
            completion(result)
        }
    }

    private static func unknown(_ host: String) -> TransportError {
        TransportError("resolve", code: ENXIO, subject: host)
    }

    /// The blocking look-up; empty when there is no such host.
    static func lookUp(_ host: String, port: UInt16, onlyNumeric: Bool) -> [SocketAddress] {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        hints.ai_flags = CInt(AI_NUMERICSERV) | (onlyNumeric ? CInt(AI_NUMERICHOST) : CInt(AI_ADDRCONFIG))
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(port), &hints, &list) == 0 else { return [] }
        defer { freeaddrinfo(list) }
        var found: [SocketAddress] = []
        var next = list
        while let entry = next?.pointee {
            if let address = entry.ai_addr.flatMap({ SocketAddress($0, length: entry.ai_addrlen) }),
                !found.contains(address)
            {
                found.append(address)
            }
            next = entry.ai_next
        }
        return found
    }
}
