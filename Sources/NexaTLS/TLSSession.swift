import COpenSSL
public import NexaTransport

// @unchecked: used under the lock of the `FilteredSocket` that owns it; OpenSSL's object wants one thread at a time.
/// One TLS connection, without I/O: OpenSSL reads and writes memory, and whoever owns the socket moves the bytes.
public final class TLSSession: StreamFilter, @unchecked Sendable {
    /// Memory of a BIO that grew beyond this is given back once it is empty.
    private static let keptBIOBytes = 8 << 10

    private let context: TLSContext
    private let ssl: OpaquePointer
    private let serverName: String?
    private let plaintextAnswer: [UInt8]
    /// What came over the wire, and what has to go there. They belong to `ssl`.
    private var incoming: OpaquePointer
    private let outgoing: OpaquePointer
    private var largestFeed = 0
    private var hasInput = false
    /// Goes over the wire as it is, behind what TLS has to say.
    private var rawOutput: [UInt8] = []
    private var hasEnded = false

    /// The handshake is done, and the peer is who it should be.
    public private(set) var isEstablished = false
    /// Why the connection cannot be used.
    public private(set) var failure: FilterFailure?
    /// What the check of the peer's certificate found wrong.
    fileprivate var certificateProblem: String?

    init(_ context: TLSContext, serverName: String?, plaintextAnswer: [UInt8]) throws(TLSConfigurationError) {
        ERR_clear_error()
        guard let ssl = SSL_new(context.handle), let incoming = BIO_new(BIO_s_mem()),
            let outgoing = BIO_new(BIO_s_mem())
        else { throw TLSConfigurationError("OpenSSL cannot make a connection: \(TLSErrorQueue.take())") }
        SSL_set_bio(ssl, incoming, outgoing)
        self.context = context
        self.ssl = ssl
        self.incoming = incoming
        self.outgoing = outgoing
        self.serverName = serverName
        self.plaintextAnswer = plaintextAnswer
        SSL_set_ex_data(ssl, 0, Unmanaged.passUnretained(self).toOpaque())
        SSL_set_verify(ssl, SSL_get_verify_mode(ssl), Self.verify)
        if let serverName {
            SSL_set_connect_state(ssl)
            try expect(serverName)
        } else {
            SSL_set_accept_state(ssl)
        }
    }

    deinit { SSL_free(ssl) }

    /// Binds the verification to a name: without this OpenSSL accepts a certificate for anybody.
    private func expect(_ name: String) throws(TLSConfigurationError) {
        if X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1 { return }
        ERR_clear_error()
        SSL_set_hostflags(ssl, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
        // A final dot makes a name absolute; certificates do not write it.
        let plain = name.hasSuffix(".") ? String(name.dropLast()) : name
        guard !plain.isEmpty, !plain.utf8.contains(0), SSL_set1_host(ssl, plain) == 1,
            nexa_ssl_set_server_name(ssl, plain) == 1
        else { throw TLSConfigurationError("'\(name)' is no host name that a certificate can be for") }
    }

    // MARK: The certificate

    /// Called by OpenSSL inside `SSL_do_handshake` and `SSL_read`, for each certificate of the chain.
    private static let verify: @convention(c) (CInt, OpaquePointer?) -> CInt = { isGood, store in
        guard isGood != 1, let store, let ssl = nexa_verified_ssl(store), let raw = SSL_get_ex_data(ssl, 0) else {
            return isGood
        }
        let session = Unmanaged<TLSSession>.fromOpaque(raw).takeUnretainedValue()
        if session.certificateProblem == nil { session.certificateProblem = session.problem(store) }
        return 0
    }

    private func problem(_ store: OpaquePointer) -> String {
        let code = X509_STORE_CTX_get_error(store)
        let depth = X509_STORE_CTX_get_error_depth(store)
        let certificate = X509_STORE_CTX_get_current_cert(store)
        let owner = serverName ?? "the client"
        let subject =
            depth == 0 ? "The certificate of \(owner)" : "A certificate in the chain that leads to \(owner)"
        func text(_ write: (OpaquePointer, UnsafeMutablePointer<CChar>, Int) -> Void) -> String {
            guard let certificate else { return "?" }
            return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { buffer in
                guard let base = buffer.baseAddress else { return "?" }
                write(certificate, base, buffer.count)
                return Self.printable(String(cString: base))
            }
        }
        switch code {
        case X509_V_ERR_CERT_HAS_EXPIRED:
            let day = text { nexa_asn1_day(X509_get0_notAfter($0), $1, $2) }
            return "\(subject) expired on \(day); renew it"
        case X509_V_ERR_CERT_NOT_YET_VALID:
            let day = text { nexa_asn1_day(X509_get0_notBefore($0), $1, $2) }
            return "\(subject) is not valid before \(day); is the clock of this machine right?"
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
            let names = text { nexa_certificate_names($0, $1, $2) }
            return "\(subject) is for \(names); connect by that name, or say with serverName which one to expect"
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
            X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
            X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
            let issuer = text { nexa_certificate_issuer($0, $1, $2) }
            return serverName == nil
                ? "\(subject) is signed by an unknown authority, '\(issuer)'"
                : "\(subject) is signed by an unknown authority, '\(issuer)'; pass the authority's certificate as caFile"
        default:
            let words = X509_verify_cert_error_string(Int(code)).map { String(cString: $0) } ?? "error \(code)"
            return "\(subject) cannot be trusted: \(words)"
        }
    }

    /// A peer chooses what stands in its certificate: nothing that a terminal would obey.
    private static func printable(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? "?" : $0 }))
    }

    // MARK: Handshake

    /// Goes on with the handshake.
    public func shakeHands() -> FilterProgress {
        if failure != nil { return .failed }
        if isEstablished { return .done }
        ERR_clear_error()
        let result = SSL_do_handshake(ssl)
        if result == 1 {
            established()
            return .done
        }
        switch SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .wantsMore
        case let code:
            fail(code)
            return .failed
        }
    }

    private func established() {
        isEstablished = true
    }

    private func fail(_ code: CInt) {
        let error = ERR_get_error()
        ERR_clear_error()
        guard failure == nil else { return }
        if let certificateProblem {
            failure = FilterFailure(certificateProblem)
            return
        }
        let words = TLSErrorQueue.words(error)
        failure =
            switch Self.reason(error) {
            case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
                FilterFailure(
                    serverName == nil
                        ? "The client showed no certificate"
                        : "The server wants a certificate of the client; pass certificateFile and keyFile")
            case SSL_R_TLSV1_ALERT_UNKNOWN_CA, SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN,
                SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE,
                SSL_R_TLSV1_ALERT_ACCESS_DENIED, SSL_R_TLSV1_ALERT_DECRYPT_ERROR:
                FilterFailure(
                    serverName == nil
                        ? "The client does not trust the server's certificate (\(words))"
                        : "The server does not accept the client's certificate (\(words))")
            case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_VERSION_TOO_LOW:
                FilterFailure("The peer has no version of TLS from 1.2 on (\(words))")
            case SSL_R_UNEXPECTED_EOF_WHILE_READING:
                FilterFailure("The connection ended in the middle of TLS", mayPass: true)
            default:
                FilterFailure(code == SSL_ERROR_SYSCALL ? "The connection ended in the middle of TLS" : "TLS: \(words)")
            }
    }

    private static func reason(_ code: UInt) -> CInt {
        code & 0x8000_0000 != 0 ? 0 : CInt(code & 0x7F_FFFF)
    }

    // MARK: Bytes

    /// Takes bytes from the wire.
    public func feed(_ bytes: UnsafeRawBufferPointer) {
        guard failure == nil, !bytes.isEmpty else { return }
        if !hasInput {
            hasInput = true
            // A record of a handshake (22) or of an alert (21) begins every connection.
            guard bytes[0] == 22 || bytes[0] == 21 else { return foundPlaintext() }
        }
        largestFeed = max(largestFeed, bytes.count)
        ERR_clear_error()
        BIO_write(incoming, bytes.baseAddress, CInt(clamping: bytes.count))
    }

    private func foundPlaintext() {
        rawOutput = plaintextAnswer
        failure = FilterFailure(
            serverName == nil
                ? "The client does not speak TLS, which this port wants"
                : "The server does not speak TLS on this port; leave TLS out, or use the port that has it")
    }

    /// Gives decrypted bytes; the handshake goes on by itself.
    public func read(into buffer: UnsafeMutableRawBufferPointer) -> FilterRead {
        if failure != nil { return .failed }
        if hasEnded { return .endOfStream }
        ERR_clear_error()
        let count = SSL_read(ssl, buffer.baseAddress, CInt(clamping: buffer.count))
        if !isEstablished, SSL_is_init_finished(ssl) == 1 { established() }
        if count > 0 { return .moved(Int(count)) }
        switch SSL_get_error(ssl, count) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE:
            releaseInput()
            return .wantsMore
        case SSL_ERROR_ZERO_RETURN:
            hasEnded = true
            return .endOfStream
        case let code:
            fail(code)
            return .failed
        }
    }

    /// A memory BIO never shrinks: after a large reply an idle connection would keep its size.
    private func releaseInput() {
        guard largestFeed > Self.keptBIOBytes, nexa_bio_pending(incoming) == 0, let fresh = BIO_new(BIO_s_mem()) else {
            return
        }
        largestFeed = 0
        SSL_set0_rbio(ssl, fresh)
        incoming = fresh
    }

    /// Encrypts bytes.
    public func write(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard isEstablished, failure == nil else { return false }
        guard !bytes.isEmpty else { return true }
        ERR_clear_error()
        // The outgoing BIO takes everything, so that this never wants to be repeated.
        let count = SSL_write(ssl, bytes.baseAddress, CInt(clamping: bytes.count))
        if Int(count) == bytes.count { return true }
        fail(SSL_get_error(ssl, count))
        return false
    }

    /// Sends close_notify.
    public func endWriting() {
        guard isEstablished, failure == nil, SSL_get_shutdown(ssl) & SSL_SENT_SHUTDOWN == 0 else { return }
        ERR_clear_error()
        _ = SSL_shutdown(ssl)
        ERR_clear_error()
    }

    /// Appends what has to go over the wire.
    public func drain(into bytes: inout [UInt8]) {
        let pending = nexa_bio_pending(outgoing)
        if pending > 0 {
            let start = bytes.count
            bytes.append(contentsOf: repeatElement(0, count: pending))
            bytes.withUnsafeMutableBytes { raw in
                let room = UnsafeMutableRawBufferPointer(rebasing: raw[start...])
                _ = BIO_read(outgoing, room.baseAddress, CInt(clamping: room.count))
            }
        }
        guard !rawOutput.isEmpty else { return }
        bytes += rawOutput
        rawOutput = []
    }
}
