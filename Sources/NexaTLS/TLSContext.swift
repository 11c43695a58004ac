import COpenSSL
import NexaTransport

/// Why TLS cannot be used as configured.
public struct TLSConfigurationError: Error, Sendable, Hashable, CustomStringConvertible {
    /// One sentence: which file, and what is wrong with it.
    public let message: String

    /// Creates an error.
    public init(_ message: String) { self.message = message }

    /// The message.
    public var description: String { message }
}

// @unchecked: OpenSSL allows any thread to make sessions of a context that is not changed any more.
/// What all TLS connections of a configuration share: certificates, keys and rules.
///
/// TLS 1.2 at least, no compression, no renegotiation, no resumption. The peer is always verified by a client; there is no
/// switch to turn that off.
public final class TLSContext: @unchecked Sendable {
    /// The name of the protocol inside TLS (ALPN).
    public static let applicationProtocol = "nexadb"

    let handle: OpaquePointer
    let isServer: Bool

    private init(isServer: Bool) throws(TLSConfigurationError) {
        ERR_clear_error()
        guard let handle = SSL_CTX_new(isServer ? TLS_server_method() : TLS_client_method()) else {
            throw TLSConfigurationError("OpenSSL cannot make a context: \(TLSErrorQueue.take())")
        }
        self.handle = handle
        self.isServer = isServer
        nexa_ssl_ctx_release_buffers(handle)
        nexa_ssl_ctx_no_sessions(handle)
        nexa_ssl_ctx_no_password_prompt(handle)
        nexa_ssl_ctx_set_options(handle, isServer ? 1 : 0)
        SSL_CTX_set_num_tickets(handle, 0)
        guard nexa_ssl_ctx_require_tls12(handle) == 1 else {
            throw TLSConfigurationError("This OpenSSL does not know TLS 1.2: \(TLSErrorQueue.take())")
        }
    }

    deinit { SSL_CTX_free(handle) }

    /// The client's side.
    ///
    /// - Parameters:
    ///   - caFile: the certificates of the authorities to trust, in PEM; `nil` for those of the system.
    ///   - certificateFile: the client's own certificate and those that lead to its authority, in PEM.
    ///   - keyFile: the key of that certificate, in PEM without a password.
    /// - Throws: `TLSConfigurationError` when a file cannot be used.
    public static func client(
        caFile: String? = nil, certificateFile: String? = nil, keyFile: String? = nil
    ) throws(TLSConfigurationError) -> TLSContext {
        let context = try TLSContext(isServer: false)
        if let caFile {
            try context.trust(caFile)
        } else if SSL_CTX_set_default_verify_paths(context.handle) != 1 {
            throw TLSConfigurationError(
                "The system has no certificates of authorities; pass those to trust as caFile")
        }
        SSL_CTX_set_verify(context.handle, SSL_VERIFY_PEER, nil)
        if let certificateFile {
            try context.use(certificate: certificateFile, key: keyFile ?? certificateFile)
        } else if keyFile != nil {
            throw TLSConfigurationError("keyFile is of no use without certificateFile")
        }
        // One byte of length, then the name.
        let name = [UInt8(applicationProtocol.utf8.count)] + Array(applicationProtocol.utf8)
        SSL_CTX_set_alpn_protos(context.handle, name, UInt32(name.count))
        return context
    }

    /// The server's side.
    ///
    /// - Parameters:
    ///   - certificateFile: the server's certificate and those that lead to its authority, in PEM.
    ///   - keyFile: the key of that certificate, in PEM without a password.
    ///   - clientCAFile: clients must show a certificate of one of these authorities; `nil` to ask for none.
    /// - Throws: `TLSConfigurationError` when a file cannot be used.
    public static func server(
        certificateFile: String, keyFile: String, clientCAFile: String? = nil
    ) throws(TLSConfigurationError) -> TLSContext {
        let context = try TLSContext(isServer: true)
        try context.use(certificate: certificateFile, key: keyFile)
        SSL_CTX_set_alpn_select_cb(context.handle, selectProtocol, nil)
        if let clientCAFile {
            try context.trust(clientCAFile)
            SSL_CTX_set_client_CA_list(context.handle, SSL_load_client_CA_file(clientCAFile))
            SSL_CTX_set_verify(context.handle, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
        }
        return context
    }

    private func trust(_ file: String) throws(TLSConfigurationError) {
        ERR_clear_error()
        guard SSL_CTX_load_verify_locations(handle, file, nil) == 1 else {
            throw TLSConfigurationError(
                "Cannot read certificates of authorities from \(file): \(TLSErrorQueue.take())")
        }
    }

    private func use(certificate: String, key: String) throws(TLSConfigurationError) {
        ERR_clear_error()
        guard SSL_CTX_use_certificate_chain_file(handle, certificate) == 1 else {
            throw TLSConfigurationError("Cannot read a certificate from \(certificate): \(TLSErrorQueue.take())")
        }
        guard SSL_CTX_use_PrivateKey_file(handle, key, SSL_FILETYPE_PEM) == 1 else {
            let reason = TLSErrorQueue.take()
            throw TLSConfigurationError(
                "Cannot use the key in \(key): \(reason) (it must be in PEM, without a password, and that of the certificate in \(certificate))"
            )
        }
        guard SSL_CTX_check_private_key(handle) == 1 else {
            throw TLSConfigurationError("The key in \(key) is not that of the certificate in \(certificate)")
        }
    }

    /// Takes `nexadb` out of the client's list. A client that names other protocols only is refused; one without a list
    /// (an old client behind a tunnel) never gets here.
    private static let selectProtocol: SSL_CTX_alpn_select_cb_func = { _, selected, length, offered, count, _ in
        guard let selected, let length, let offered else { return SSL_TLSEXT_ERR_ALERT_FATAL }
        let list = UnsafeBufferPointer(start: offered, count: Int(count))
        var position = 0
        while position < list.count {
            let end = position + 1 + Int(list[position])
            guard end <= list.count else { break }
            if list[position + 1..<end].elementsEqual(TLSContext.applicationProtocol.utf8) {
                selected.pointee = offered + position + 1
                length.pointee = list[position]
                return SSL_TLSEXT_ERR_OK
            }
            position = end
        }
        return SSL_TLSEXT_ERR_ALERT_FATAL
    }

    /// One connection of a client.
    ///
    /// - Parameter name: the host name or IP address that the server's certificate must be for.
    /// - Throws: `TLSConfigurationError` when it cannot be made, for example for a name that is none.
    public func connection(to name: String) throws(TLSConfigurationError) -> TLSSession {
        try TLSSession(self, serverName: name, plaintextAnswer: [])
    }

    /// One connection of a server.
    ///
    /// - Parameter plaintextAnswer: what a client that does not speak TLS is told, in its own protocol.
    /// - Throws: `TLSConfigurationError` when there is no memory.
    public func acceptedConnection(plaintextAnswer: [UInt8] = []) throws(TLSConfigurationError) -> TLSSession {
        try TLSSession(self, serverName: nil, plaintextAnswer: plaintextAnswer)
    }
}

/// The errors that OpenSSL left on this thread.
enum TLSErrorQueue {
    /// The reason of the first one, and the queue is empty again.
    static func take() -> String {
        let code = ERR_get_error()
        ERR_clear_error()
        return code == 0 ? "no reason given" : words(code)
    }

    static func words(_ code: UInt) -> String {
        if let reason = ERR_reason_error_string(code) { return String(cString: reason) }
        // Errors of the system have a number only.
        return code & 0x8000_0000 != 0 ? TransportError.words(for: CInt(code & 0x7FFF_FFFF)) : "error \(code)"
    }
}
