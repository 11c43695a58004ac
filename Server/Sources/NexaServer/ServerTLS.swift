import NexaProtocol
import NexaTLS
import NexaTransport
import NexaValue
import Synchronization

/// The TLS of the TCP port. Its certificates can be read again while the server runs.
final class ServerTLS: Sendable {
    private let files: NexaServer.Configuration.TLS
    private let context: Mutex<TLSContext>

    /// What a client hears that begins without TLS, in the protocol that it speaks.
    private static let plaintextAnswer: [UInt8] = {
        var writer = MessagePackWriter()
        Reply.encodeError(
            "This port is for TLS: connect with TLS, for example with nexadbs:// in place of nexadb://",
            code: .tlsRequired, into: &writer)
        return writer.bytes
    }()

    init(_ files: NexaServer.Configuration.TLS) throws(ServerError) {
        self.files = files
        context = Mutex(try Self.makeContext(files))
    }

    private static func makeContext(_ files: NexaServer.Configuration.TLS) throws(ServerError) -> TLSContext {
        do throws(TLSConfigurationError) {
            return try TLSContext.server(
                certificateFile: files.certificateFile, keyFile: files.keyFile, clientCAFile: files.clientCAFile)
        } catch {
            throw ServerError(.invalidConfiguration, error.message)
        }
    }

    func reload() throws(ServerError) {
        let fresh = try Self.makeContext(files)
        context.withLock { $0 = fresh }
    }

    /// The filter of an accepted connection; `nil` when there is no memory for one.
    func filter() -> (any StreamFilter)? {
        try? context.withLock({ $0 }).acceptedConnection(plaintextAnswer: Self.plaintextAnswer)
    }
}
