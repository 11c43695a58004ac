extension NexaConfiguration {
    /// Reads a connection URI.
    ///
    /// ```
    /// nexadb://user:p%40ss@host:6970,[::1]:6970/database?maxConnections=32&timeout=5s
    /// nexadb+unix:///run/nexadb.sock?database=shop
    /// nexadbs://user:password@db.example/shop?caFile=/etc/nexadb/ca.pem
    /// ```
    ///
    /// `nexa:` is the same as `nexadb:`, and `nexadbs:` the same with `tls=true`. Parts are percent-decoded. Durations carry a unit: `250ms`, `5s`, `2m`.
    /// - Throws: `NexaError` with `.invalidConfiguration` that lists every problem at once, and never the password.
    public init(uri: String) throws(NexaError) {
        var parser = URIParser(uri)
        self = parser.parse()
        guard parser.problems.isEmpty else {
            let list = parser.problems.map { "\n  - \($0)" }.joined()
            throw NexaError(.invalidConfiguration, "The URI \(parser.redacted) cannot be used:\(list)")
        }
    }

    /// The configuration as a URI, without the password. Options that have their default are left out.
    public var redactedURI: String { uri(password: "…") }

    /// The configuration as a URI, password included: `init(uri:)` makes the same configuration of it.
    public var uri: String { uri(password: nil) }

    private func uri(password replacement: String?) -> String {
        var text: String
        var options: [(String, String)] = []
        let defaults = NexaConfiguration()
        let unixPath: String? = if case .unix(let path)? = endpoints.first { path } else { nil }
        var user = ""
        if let credentials {
            user = PercentCoding.encode(credentials.username)
            if let password = credentials.password { user += ":" + (replacement ?? PercentCoding.encode(password)) }
            user += "@"
        }
        if let unixPath {
            text = "nexadb+unix://\(user)\(PercentCoding.encode(unixPath, keeping: "/"))"
            if database != defaults.database { options.append(("database", PercentCoding.encode(database))) }
        } else {
            text = "nexadb://\(user)\(endpoints.map(\.description).joined(separator: ","))"
            if database != defaults.database { text += "/" + PercentCoding.encode(database) }
        }
        for option in URIOption.all {
            if let value = option.print(self), value != option.print(defaults) { options.append((option.name, value)) }
        }
        return options.isEmpty ? text : text + "?" + options.map { "\($0)=\($1)" }.joined(separator: "&")
    }
}

/// One key of the query part of a URI.
struct URIOption: Sendable {
    var name: String
    /// Sets the option, or says what is wrong with the text.
    var set: @Sendable (inout NexaConfiguration, String) -> String?
    /// The option as text.
    var print: @Sendable (NexaConfiguration) -> String?

    static let all: [URIOption] = [
        count("maxConnections", \.pool.maximumConnections), count("maxWaiters", \.pool.maximumWaiters),
        count("minConnections", \.pool.minimumConnections, from: 0),
        count("maxConcurrentConnects", \.pool.maximumConcurrentConnects),
        count("pipelineDepth", \.pool.pipelineDepth), count("maxFrameBytes", \.maximumFrameBytes),
        duration("timeout", \.operationTimeout), duration("connectTimeout", \.connectTimeout),
        duration("acquireTimeout", \.pool.acquireTimeout), optionalDuration("idleTimeout", \.pool.idleTimeout),
        optionalDuration("maxLifetime", \.pool.maximumLifetime),
        optionalDuration("keepAliveInterval", \.pool.keepAliveInterval),
        count("failuresUntilBreak", \.backoff.failuresUntilBreak),
        count("maxAttempts", \.retry.maximumAttempts), flag("retryReads", \.retry.retriesReads),
        duration("initialBackoff", \.backoff.initial), duration("maxBackoff", \.backoff.maximum),
        URIOption(
            name: "tls",
            set: {
                switch $1 {
                case "true": $0.tls = .required($0.tls.options ?? .init())
                case "false": $0.tls = .disabled
                default: return "must be true or false, not '\($1)'"
                }
                return nil
            }, print: { $0.tls == .disabled ? "false" : "true" }),
        file("caFile", \.caFile), file("serverName", \.serverName), file("certificateFile", \.certificateFile),
        file("keyFile", \.keyFile),
        URIOption(
            name: "plainLogin",
            set: {
                guard let choice = NexaConfiguration.PlainLogin(rawValue: $1) else {
                    return "must be private, always or never, not '\($1)'"
                }
                $0.plainLogin = choice
                return nil
            }, print: { $0.plainLogin.rawValue }),
        URIOption(
            name: "appName",
            set: {
                $0.applicationName = $1
                return nil
            }, print: { $0.applicationName.map { PercentCoding.encode($0) } })
    ]

    private static func file(
        _ name: String, _ path: any WritableKeyPath<NexaConfiguration.TLSOptions, String?> & Sendable
    ) -> URIOption {
        URIOption(
            name: name,
            set: { configuration, text in
                guard !text.isEmpty else { return "is empty" }
                guard var options = configuration.tls.options else { return "is of no use without tls=true before it" }
                options[keyPath: path] = text
                configuration.tls = .required(options)
                return nil
            }, print: { $0.tls.options?[keyPath: path].map { PercentCoding.encode($0, keeping: "/") } })
    }

    private static func count(
        _ name: String, _ path: any WritableKeyPath<NexaConfiguration, Int> & Sendable, from least: Int = 1
    ) -> URIOption {
        URIOption(
            name: name,
            set: { configuration, text in
                guard let number = Int(text), number >= least else {
                    return "must be a whole number from \(least), not '\(text)'"
                }
                configuration[keyPath: path] = number
                return nil
            }, print: { "\($0[keyPath: path])" })
    }

    private static func flag(
        _ name: String, _ path: any WritableKeyPath<NexaConfiguration, Bool> & Sendable
    ) -> URIOption {
        URIOption(
            name: name,
            set: { configuration, text in
                guard text == "true" || text == "false" else { return "must be true or false, not '\(text)'" }
                configuration[keyPath: path] = text == "true"
                return nil
            }, print: { "\($0[keyPath: path])" })
    }

    private static func duration(
        _ name: String, _ path: any WritableKeyPath<NexaConfiguration, Duration> & Sendable
    ) -> URIOption {
        URIOption(
            name: name,
            set: { configuration, text in
                guard let duration = DurationText.parse(text) else { return DurationText.advice(for: text) }
                configuration[keyPath: path] = duration
                return nil
            }, print: { DurationText.print($0[keyPath: path]) })
    }

    private static func optionalDuration(
        _ name: String, _ path: any WritableKeyPath<NexaConfiguration, Duration?> & Sendable
    ) -> URIOption {
        URIOption(
            name: name,
            set: { configuration, text in
                if text == "never" {
                    configuration[keyPath: path] = nil
                    return nil
                }
                guard let duration = DurationText.parse(text) else { return DurationText.advice(for: text) }
                configuration[keyPath: path] = duration
                return nil
            }, print: { $0[keyPath: path].map(DurationText.print) ?? "never" })
    }
}

/// Durations as people write them: a whole number and a unit.
enum DurationText {
    private static let units: [(String, Duration)] = [
        ("ms", .milliseconds(1)), ("us", .microseconds(1)), ("s", .seconds(1)), ("m", .seconds(60)),
        ("h", .seconds(3600))
    ]

    static func parse(_ text: String) -> Duration? {
        for (unit, duration) in units where text.hasSuffix(unit) {
            guard let number = Int(text.dropLast(unit.count)), number > 0, number <= 1_000_000_000 else { continue }
            return duration * number
        }
        return nil
    }

    static func advice(for text: String) -> String {
        "must be a number with a unit, such as 250ms, 5s or 2m, not '\(text)'"
    }

    static func print(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        if attoseconds == 0 { return "\(seconds)s" }
        let microseconds = seconds * 1_000_000 + attoseconds / 1_000_000_000_000
        return microseconds % 1000 == 0 ? "\(microseconds / 1000)ms" : "\(microseconds)us"
    }
}

/// Percent-encoding of URI components (RFC 3986).
enum PercentCoding {
    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }

    static func encode(_ text: String, keeping kept: String = "") -> String {
        var result = ""
        for byte in text.utf8 {
            if isUnreserved(byte) || kept.utf8.contains(byte) {
                result.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                result += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return result
    }

    /// `nil` for a `%` without two hexadecimal digits behind it, and for bytes that are not UTF-8.
    static func decode(_ text: some StringProtocol) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(digit), let low = rest.popFirst().flatMap(digit) else {
                return nil
            }
            bytes.append(high << 4 | low)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

extension NexaConfiguration.TLS {
    /// The options of an encrypted connection.
    var options: NexaConfiguration.TLSOptions? {
        if case .required(let options) = self { options } else { nil }
    }
}
