import NexaTransport
import Synchronization

#if TLS
    import NexaTLS

    /// The TLS of one client: made when the first connection needs it, and shared by all.
    final class ClientTLS: Sendable {
        private let options: NexaConfiguration.TLSOptions
        private let context = Mutex<TLSContext?>(nil)

        init(_ tls: NexaConfiguration.TLS) { options = tls.options ?? .init() }

        /// The filter of a connection to this endpoint.
        func filter(for endpoint: NexaConfiguration.Endpoint) throws(NexaError) -> any StreamFilter {
            do throws(TLSConfigurationError) {
                guard let name = options.serverName ?? endpoint.host else {
                    throw TLSConfigurationError(
                        "A Unix socket has no name that a certificate could be for; set serverName")
                }
                return try sharedContext().connection(to: name)
            } catch {
                throw NexaError(
                    .invalidConfiguration, error.message, operation: "connect", endpoint: endpoint.description)
            }
        }

        /// Reads the files, unless that was done before.
        func prepare() throws(NexaError) {
            do throws(TLSConfigurationError) {
                _ = try sharedContext()
            } catch {
                throw NexaError(.invalidConfiguration, error.message, operation: "connect")
            }
        }

        private func sharedContext() throws(TLSConfigurationError) -> TLSContext {
            try context.withLock { context throws(TLSConfigurationError) in
                if let context { return context }
                let made = try TLSContext.client(
                    caFile: options.caFile, certificateFile: options.certificateFile, keyFile: options.keyFile)
                context = made
                return made
            }
        }
    }

    extension NexaConfiguration.Endpoint {
        fileprivate var host: String? {
            if case .tcp(let host, _) = self { host } else { nil }
        }
    }
#else
    /// What a program without the trait `TLS` has in its place.
    final class ClientTLS: Sendable {
        init(_ tls: NexaConfiguration.TLS) {}

        func filter(for endpoint: NexaConfiguration.Endpoint) throws(NexaError) -> any StreamFilter {
            throw Self.missing
        }

        func prepare() throws(NexaError) { throw Self.missing }

        private static var missing: NexaError {
            NexaError(
                .invalidConfiguration,
                "This program was built without TLS: depend on the package with traits: [\"TLS\"], and install libssl-dev",
                operation: "connect")
        }
    }
#endif
