import Glibc
import NexaProtocol
import NexaTransport
import TestKit
import Testing

extension TransportTests {
    @Suite struct SocketTests {
        @Test func addressesPrintAndCompare() throws {
            let four = try #require(SocketAddress(numericHost: "127.0.0.1", port: 6970))
            #expect(four.description == "127.0.0.1:6970")
            #expect(four.port == 6970)
            let six = try #require(SocketAddress(numericHost: "::1", port: 1))
            #expect(six.description == "[::1]:1")
            #expect(SocketAddress(numericHost: "localhost", port: 1) == nil)
            #expect(SocketAddress.unix("/x").description == "unix:/x")
        }

        @Test func pathsLongerThanASocketAddressWork() async throws {
            let directory = try TemporaryDirectory()
            var deep = directory.path
            for _ in 0..<5 {
                deep += "/" + String(repeating: "d", count: 60)
                #expect(mkdir(deep, 0o700) == 0)
            }
            let address = SocketAddress.unix(deep + "/socket")
            let listener = try ListeningSocket(address: address)
            defer { listener.close() }
            let client = try StreamSocket.connect(to: address)
            defer { client.close() }
            guard case .accepted(let served, _) = listener.accept() else {
                Issue.record("nothing to accept")
                return
            }
            defer { served.close() }
            let credentials = try #require(served.peerCredentials)
            #expect(credentials.userID == getuid())
            #expect(credentials.processID == getpid())
        }

        @Test func aStaleSocketFileIsReplacedAndALiveOneIsNot() throws {
            let directory = try TemporaryDirectory()
            let address = SocketAddress.unix(directory.path + "/socket")
            let first = try ListeningSocket(address: address, permissions: 0o640)
            var status = stat()
            #expect(lstat(directory.path + "/socket", &status) == 0)
            #expect(status.st_mode & 0o777 == 0o640)
            #expect { _ = try ListeningSocket(address: address) } throws: {
                ($0 as? TransportError)?.code == EADDRINUSE
            }
            // What a killed process leaves behind: the file without a listener.
            _ = Glibc.close(first.descriptor)
            let second = try ListeningSocket(address: address)
            second.close()
        }

        @Test func aFileThatIsNoSocketIsNeverRemoved() throws {
            let directory = try TemporaryDirectory()
            let path = directory.path + "/precious"
            let file = open(path, O_CREAT | O_WRONLY, 0o600)
            _ = Glibc.close(file)
            #expect { _ = try ListeningSocket(address: .unix(path)) } throws: {
                ($0 as? TransportError)?.code == EADDRINUSE
            }
            #expect(access(path, F_OK) == 0)
        }

        @Test func errorsNameTheCallTheSubjectAndTheReason() {
            let missing = SocketAddress.unix("/nonexistent/socket")
            #expect { _ = try StreamSocket.connect(to: missing) } throws: {
                "\($0)" == "connect unix:/nonexistent/socket: No such file or directory"
            }
            #expect { _ = try StreamSocket.connect(to: .unix("")) } throws: { ($0 as? TransportError)?.code == EINVAL }
        }

        @Test func numericHostsResolveAtOnceAndNamesOnTheReactor() async throws {
            let reactor = try Reactor()
            defer { reactor.shutdown() }
            let numeric = Promise<Result<[SocketAddress], TransportError>>()
            Resolver.resolve("::1", port: 5, deadline: .now + .seconds(5), on: reactor) { numeric.fulfil($0) }
            #expect(numeric.isFulfilled)
            let name = Promise<Result<[SocketAddress], TransportError>>()
            Resolver.resolve("localhost", port: 5, deadline: .now + .seconds(20), on: reactor) { name.fulfil($0) }
            let found = await name.value
            #expect(try found.get().isEmpty == false)
            let unknown = Promise<Result<[SocketAddress], TransportError>>()
            Resolver.resolve("no-such-host.invalid", port: 5, deadline: .now + .seconds(20), on: reactor) {
                unknown.fulfil($0)
            }
            let missing = await unknown.value
            #expect(throws: TransportError.self) { _ = try missing.get() }
        }
    }
}
