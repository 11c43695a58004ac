import NexaClient
import NexaServer
import Testing

@Suite struct PoolTuning {
    struct Film: NexaModel {
        var title: String
    }

    @Test func settings() throws {
        // snippet: settings
        var configuration = NexaConfiguration(host: "db.example")
        configuration.pool.minimumConnections = 2
        configuration.pool.maximumConnections = 32
        configuration.pool.acquireTimeout = .seconds(2)
        configuration.pool.idleTimeout = nil
        configuration.operationTimeout = .seconds(10)
        // end

        // snippet: uri
        let uri =
            "nexadb://db.example?minConnections=2&maxConnections=32&acquireTimeout=2s&idleTimeout=never&timeout=10s"
        let same = try NexaConfiguration(uri: uri)
        // end
        #expect(same == configuration)
    }

    @Test func calls() async throws {
        try await withServer { client, _ in
            let films = client.database().collection("films", of: Film.self)
            // snippet: executor
            let found = try await withTaskExecutorPreference(client.executor) {
                var found = 0
                for number in 0..<100 where try await films[DocumentID("film-\(number)")] != nil { found += 1 }
                return found
            }
            // end
            #expect(found == 0)

            // snippet: replace
            client.replaceConnections()
            // end
            _ = try await client.ping()
        }
    }

    @Test func embedded() async throws {
        try await withServer({ $0.socketPath = $0.dataDirectory + ".socket" }) { _, server in
            let path = try #require(server.socketPath)
            // snippet: socket
            var configuration = NexaConfiguration(unixSocket: path)
            configuration.credentials = .init(username: "root", password: nil)
            // end
            try await NexaClient.withClient(configuration) { client in
                _ = try await client.ping()
            }
        }
    }
}
