import NexaClient
import NexaServer
import TestKit
import Testing

@Suite struct Security {
    @Test func settings() throws {
        let password = "se:cret"
        // snippet: settings
        var configuration = NexaConfiguration(host: "db.example", port: 6970)
        configuration.credentials = .init(username: "shop", password: password)
        configuration.tls = .required(.init(caFile: "/etc/nexadb/ca.pem"))
        // end

        // snippet: uri
        let same = try NexaConfiguration(uri: "nexadbs://shop:se%3Acret@db.example:6970?caFile=/etc/nexadb/ca.pem")
        // end
        #expect(same == configuration)

        // snippet: redacted
        print("connecting to \(same.redactedURI)")
        // end
        #expect(!same.redactedURI.contains("cret@"))

        // snippet: plain
        configuration.plainLogin = .never
        // end

        // snippet: mutual
        configuration.tls = .required(
            .init(
                caFile: "/etc/nexadb/ca.pem", serverName: "db.example", certificateFile: "/etc/shop/client.pem",
                keyFile: "/etc/shop/client.key"))
        // end
        #expect(configuration.tls != same.tls)
    }

    @Test func encryption() async throws {
        try await withServer({
            $0.tls = .init(
                certificateFile: try TestCertificates.file("server.pem"),
                keyFile: try TestCertificates.file("server.key"))
        }) { _, server in
            let caFile = try TestCertificates.file("ca.pem")
            let strangers = try TestCertificates.file("other.pem")
            let port = Int(server.port ?? 0)
            // snippet: trust
            func isTrusted(_ caFile: String) async throws -> Bool {
                var configuration = NexaConfiguration(host: "localhost", port: port)
                configuration.credentials = .init(username: "root", password: "secret")
                configuration.tls = .required(.init(caFile: caFile))
                return try await NexaClient.withClient(configuration) { client in
                    do throws(NexaError) {
                        try await client.ping()
                        return true
                    } catch {
                        guard error.code == .tlsFailed else { throw error }
                        print(error.message)
                        return false
                    }
                }
            }
            // end
            #expect(try await isTrusted(caFile))
            #expect(try await !isTrusted(strangers))
        }
    }

    @Test func users() async throws {
        try await withServer { client, _ in
            // snippet: role
            let info = try await client.serverInfo()
            print(info.username, info.role, info.capabilities.contains(.scram))
            // end
            #expect(info.role == "admin")
        }
    }
}
