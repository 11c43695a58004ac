/// Reads a connection URI and collects everything that is wrong with it.
struct URIParser {
    private let text: String
    /// The URI with the password replaced, for messages.
    private(set) var redacted: String
    /// What is wrong, a sentence each.
    private(set) var problems: [String] = []
    private var configuration = NexaConfiguration()

    init(_ text: String) {
        self.text = text
        redacted = Self.redact(text)
    }

    private static func redact(_ text: String) -> String {
        guard let scheme = text.firstRange(of: "://") else { return text.contains("@") ? "(not shown)" : text }
        let rest = text[scheme.upperBound...]
        let authority = rest[..<(rest.firstIndex { $0 == "?" } ?? rest.endIndex)]
        guard let at = authority.lastIndex(of: "@"), let colon = authority[..<at].firstIndex(of: ":") else {
            return text
        }
        return text[...colon] + "…" + text[at...]
    }

    mutating func parse() -> NexaConfiguration {
        guard let scheme = text.firstRange(of: "://") else {
            problems.append("it must begin with nexadb://")
            return configuration
        }
        let isUnix: Bool
        switch text[..<scheme.lowerBound].lowercased() {
        case "nexadb", "nexa": isUnix = false
        case "nexadbs", "nexas":
            isUnix = false
            configuration.tls = .required()
        case "nexadb+unix", "nexa+unix": isUnix = true
        case let other:
            problems.append("'\(other)' is not a scheme of NexaDB; use nexadb://")
            return configuration
        }
        var rest = text[scheme.upperBound...]
        var options: Substring?
        if let mark = rest.firstIndex(of: "?") {
            options = rest[rest.index(after: mark)...]
            rest = rest[..<mark]
        }
        // The last @ before the path separates the user: a password may hold any other one.
        let path = rest.lastIndex(of: "@").map { rest[$0...].firstIndex(of: "/") } ?? rest.firstIndex(of: "/")
        let authority = rest[..<(path ?? rest.endIndex)]
        if let at = authority.lastIndex(of: "@") { readUser(authority[..<at]) }
        let hosts = authority.lastIndex(of: "@").map { authority[authority.index(after: $0)...] } ?? authority
        if isUnix {
            readSocket(path.map { rest[$0...] } ?? "", hosts: hosts)
        } else {
            readHosts(hosts)
            if let path { readDatabase(rest[rest.index(after: path)...]) }
        }
        if let options { readOptions(options) }
        return configuration
    }

    private mutating func decoded(_ part: Substring, as name: String) -> String? {
        guard let text = PercentCoding.decode(part) else {
            problems.append("the \(name) has a % that is not followed by two hexadecimal digits, or is not UTF-8")
            return nil
        }
        return text
    }

    private mutating func readUser(_ part: Substring) {
        let colon = part.firstIndex(of: ":")
        guard let username = decoded(part[..<(colon ?? part.endIndex)], as: "user name") else { return }
        var password: String?
        if let colon {
            guard let text = decoded(part[part.index(after: colon)...], as: "password") else { return }
            password = text
        }
        if username.isEmpty {
            problems.append("the user name is empty; write nexadb://user:password@host")
        } else {
            configuration.credentials = .init(username: username, password: password)
        }
    }

    private mutating func readSocket(_ path: Substring, hosts: Substring) {
        if !hosts.isEmpty {
            problems.append("a Unix socket has no host: write nexadb+unix:///path, with three slashes")
        }
        guard let path = decoded(path, as: "path") else { return }
        if path.count > 1 {
            configuration.endpoints = [.unix(path: path)]
        } else {
            problems.append("the path of the socket is missing: write nexadb+unix:///path")
        }
    }

    private mutating func readHosts(_ part: Substring) {
        var endpoints: [NexaConfiguration.Endpoint] = []
        for text in part.split(separator: ",", omittingEmptySubsequences: false) {
            if let endpoint = readHost(text) { endpoints.append(endpoint) }
        }
        if !endpoints.isEmpty { configuration.endpoints = endpoints }
    }

    private mutating func readHost(_ text: Substring) -> NexaConfiguration.Endpoint? {
        var host = text
        var port: Substring?
        if text.first == "[" {
            guard let bracket = text.firstIndex(of: "]") else {
                problems.append("the address '\(text)' has no closing bracket")
                return nil
            }
            host = text[text.index(after: text.startIndex)..<bracket]
            let behind = text[text.index(after: bracket)...]
            if behind.first == ":" { port = behind.dropFirst() } else if !behind.isEmpty { port = behind }
        } else if let colon = text.lastIndex(of: ":") {
            guard text.firstIndex(of: ":") == colon else {
                problems.append("'\(text)' looks like an IPv6 address: write it in brackets, [\(text)]")
                return nil
            }
            host = text[..<colon]
            port = text[text.index(after: colon)...]
        }
        guard let name = decoded(host, as: "host") else { return nil }
        guard !name.isEmpty else {
            problems.append("a host is missing: write nexadb://host:6970")
            return nil
        }
        let isPlain = name.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x3A, 0x25, 0x80...: true
            default: false
            }
        }
        // An IPv6 address may name its interface: fe80::1%eth0.
        guard isPlain, name.contains(":") || !name.contains("%") else {
            problems.append("the host '\(name)' has characters that no host name has")
            return nil
        }
        guard let port else { return .tcp(host: name, port: 6970) }
        guard let number = Int(port), (1...65535).contains(number) else {
            problems.append("the port '\(port)' is not a number from 1 to 65535")
            return nil
        }
        return .tcp(host: name, port: number)
    }

    private mutating func readDatabase(_ part: Substring) {
        guard !part.isEmpty, let name = decoded(part, as: "database") else { return }
        if name.contains("/") {
            problems.append("a database name has no '/': write nexadb://host/database")
        } else {
            configuration.database = name
        }
    }

    private mutating func readOptions(_ part: Substring) {
        for pair in part.split(separator: "&") {
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = decoded(sides[0], as: "name of an option"),
                let value = decoded(sides.count == 2 ? sides[1] : "", as: "option \(sides[0])")
            else { continue }
            if name == "database" {
                readDatabase(sides.count == 2 ? sides[1] : "")
            } else if let option = URIOption.all.first(where: { $0.name.lowercased() == name.lowercased() }) {
                if let problem = option.set(&configuration, value) { problems.append("\(option.name) \(problem)") }
            } else {
                problems.append(Self.unknown(name))
            }
        }
    }

    private static func unknown(_ name: String) -> String {
        let known = URIOption.all.map(\.name) + ["database"]
        // What is far longer than every option is no misspelling of one.
        guard name.utf8.count <= 40 else { return "unknown option '\(name)'" }
        let nearest = known.map { ($0, EditDistance.between($0.lowercased(), name.lowercased())) }.min { $0.1 < $1.1 }
        if let nearest, nearest.1 <= 3 { return "unknown option '\(name)'; did you mean \(nearest.0)?" }
        return "unknown option '\(name)'; known are \(known.sorted().joined(separator: ", "))"
    }
}

/// How many characters must change to make one word of another (Levenshtein).
enum EditDistance {
    static func between(_ left: String, _ right: String) -> Int {
        let (left, right) = (Array(left.unicodeScalars.prefix(64)), Array(right.unicodeScalars.prefix(64)))
        var row = Array(0...right.count)
        for (i, a) in left.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, b) in right.enumerated() {
                let above = row[j + 1]
                row[j + 1] = a == b ? diagonal : 1 + min(diagonal, min(above, row[j]))
                diagonal = above
            }
        }
        return row[right.count]
    }
}
