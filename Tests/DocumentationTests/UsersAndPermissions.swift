import NexaClient
import NexaServer
import TestKit
import Testing

@Suite struct UsersAndPermissions {
    @Test func users() async throws {
        try await withServer { client, _ in
            // snippet: create
            try await client.users.create("ann", password: "correct horse", role: .write)
            try await client.users.create("report", password: "battery staple", role: .guest, grants: ["shop": .read])
            // end

            // snippet: change
            try await client.users.grant(.write, on: "archive", to: "report")
            try await client.users.revoke(on: "shop", from: "report")
            try await client.users.setRole(of: "ann", to: .read)
            // end

            // snippet: list
            for user in try await client.users.list() {
                print(user.name, user.role, user.grants ?? [:])
            }
            // end
            #expect(try await client.users.list().map(\.grants) == [nil, ["archive": .write], nil])

            // snippet: password
            try await client.users.changePassword(of: "ann", to: "staple battery")
            try await client.users.delete("ann")
            // end
        }
    }

    @Test func keys() async throws {
        try await withServer { client, server in
            try await client.users.create("report", password: "battery staple", role: .read)
            let port = Int(server.port ?? 0)
            // snippet: keys
            let made = try await client.users.createAPIKey(for: "report", label: "nightly report")
            var configuration = NexaConfiguration(host: "127.0.0.1", port: port)
            configuration.credentials = .init(username: "report", password: made.key)
            // end
            try await NexaClient.withClient(configuration) { reader in
                _ = try await reader.database("shop").collection("films").count()
            }
            // snippet: revoke
            for key in try await client.users.apiKeys(of: "report") where key.lastUsed == nil {
                try await client.users.revokeAPIKey(key.prefix, of: "report")
            }
            // end
            #expect(try await client.users.apiKeys(of: "report").count == 1)
        }
    }
}
