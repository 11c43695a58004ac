import NexaClient
import NexaValue

/// The commands about the server and the connection to it.
extension Session {
    func status() async throws(ShellError) {
        let client = client
        let info = try await call { () async throws(NexaError) in try await client.serverInfo() }
        let latency = try await call { () async throws(NexaError) in try await client.ping() }
        let uptime = try await call { () async throws(NexaError) in try await client.uptime() }
        let isEncrypted = if case .required = client.configuration.tls { true } else { false }
        var document: Document = [
            "server": .string(info.version ?? "3.0"), "endpoint": .string(info.endpoint), "tls": .bool(isEncrypted),
            "user": .string(info.username), "role": .string(info.role), "database": .string(location.database)
        ]
        if let collection = location.collection { document["collection"] = .string(collection) }
        document["latency_ms"] = .double(latency.milliseconds)
        if let uptime { document["uptime_s"] = .double(uptime.milliseconds / 1000) }
        document["capabilities"] = .array(info.capabilities.map(\.rawValue).sorted().map { .string($0) })
        document["shell"] = .string(settings.version)
        let location = location
        let version = settings.version
        try presentOne(document) { (console) throws(OutputError) in
            let rows = [
                ["Server:", "NexaDB v\(info.version ?? "3.0") at \(info.endpoint)"],
                ["Uptime:", uptime.map { "up \(Amount.words($0))" } ?? "unknown"],
                ["Encryption:", isEncrypted ? "TLS" : "none"], ["User:", "\(info.username), role \(info.role)"],
                ["Database:", location.database], ["Collection:", location.collection ?? "none"],
                ["Latency:", Amount.duration(latency)], ["Shell:", "nexa v\(version)"]
            ]
            for line in Columns.aligned(rows, indent: 0) { try console.result(line) }
        }
    }

    func ping(_ call: CommandCall) async throws(ShellError) {
        var arguments = try CommandArguments(call)
        let count = try arguments.number("the number of pings", in: 1...1_000_000) ?? 1
        try arguments.end()
        let client = client
        var times: [Duration] = []
        while times.count < count {
            let elapsed = try await self.call { () async throws(NexaError) in try await client.ping() }
            times.append(elapsed)
            guard count <= 10 else { continue }
            try show { (console) throws(OutputError) in
                try console.success("Pong (\(Amount.duration(elapsed)))")
            }
        }
        guard count > 1 else { return try printForPrograms(["milliseconds": .double(times[0].milliseconds)]) }
        times.sort()
        let median = times[(count - 1) / 2]
        let late = times[min(count - 1, count * 99 / 100)]
        try show { (console) throws(OutputError) in
            try console.success(
                "\(count) pings: least \(Amount.duration(times[0])), median \(Amount.duration(median)), "
                    + "99 % within \(Amount.duration(late)), most \(Amount.duration(times[count - 1]))")
        }
        try printForPrograms([
            "count": .int(Int64(count)), "least_ms": .double(times[0].milliseconds),
            "median_ms": .double(median.milliseconds), "p99_ms": .double(late.milliseconds),
            "most_ms": .double(times[count - 1].milliseconds)
        ])
    }
}

extension Duration {
    /// The time in milliseconds.
    var milliseconds: Double { Double(components.attoseconds) / 1e15 + Double(components.seconds) * 1000 }
}
