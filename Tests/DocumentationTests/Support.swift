import NexaClient
import NexaServer
import NexaTestSupport
import TestKit
import Testing

/// Runs code of an article with a client of a server in this process, over a directory of its own.
func withServer(
    _ adjust: (inout NexaServer.Configuration) throws -> Void = { _ in },
    _ body: (NexaClient, NexaServer) async throws -> Void
) async throws {
    let directory = try TemporaryDirectory()
    var configuration = NexaServer.Configuration.ephemeral(dataDirectory: directory["data"])
    configuration.shutdownGrace = .milliseconds(500)
    try adjust(&configuration)
    let server = try await NexaServer.start(configuration)
    let client = NexaClient(configured(port: Int(server.port ?? 0)))
    let result: Result<Void, any Error>
    do { result = .success(try await body(client, server)) } catch { result = .failure(error) }
    await client.shutdown(drainingFor: .zero)
    await server.shutdown()
    try result.get()
}

/// Runs code of an article against a server that does what a script says.
func withScript(
    _ script: @escaping @Sendable (ScriptedPeer) async throws -> Void,
    _ body: (NexaClient) async throws -> Void
) async throws {
    let server = try ScriptedServer(script)
    defer { server.stop() }
    let client = NexaClient(configured(port: server.port))
    let result: Result<Void, any Error>
    do { result = .success(try await body(client)) } catch { result = .failure(error) }
    await client.shutdown(drainingFor: .zero)
    try result.get()
}

private func configured(port: Int) -> NexaConfiguration {
    var configuration = NexaConfiguration(port: port)
    configuration.credentials = .init(username: "root", password: "secret")
    configuration.database = "shop"
    configuration.backoff.initial = .milliseconds(2)
    // Tests that run beside these may keep all threads busy for seconds.
    configuration.pool.acquireTimeout = .seconds(60)
    configuration.connectTimeout = .seconds(60)
    configuration.operationTimeout = .seconds(60)
    return configuration
}
