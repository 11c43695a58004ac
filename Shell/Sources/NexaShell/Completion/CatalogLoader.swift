import Glibc
import NexaClient
import NexaValue
import Synchronization

/// Fetches names and samples for completion, on a connection of its own, so that no command ever waits for it.
final class CatalogLoader: Sendable {
    /// A server that takes longer for a sample is not asked for so much.
    static let sampleBudget = Duration.milliseconds(200)
    private static let namesBudget = Duration.seconds(5)
    private static let sampledDocuments = 100
    private static let maximumNames = 200_000
    private static let maximumFiles = 10_000

    private let client: Mutex<NexaClient?>

    init() { client = Mutex(nil) }

    /// Uses this server from now on; the connection is opened when something is wanted.
    ///
    /// - Returns: the client of the server before, to be shut down.
    func use(_ configuration: NexaConfiguration) -> NexaClient? {
        var configuration = configuration
        configuration.pool.maximumConnections = 1
        configuration.pool.minimumConnections = 0
        let next = NexaClient(configuration)
        return client.withLock { client in
            defer { client = next }
            return client
        }
    }

    /// Closes the connection.
    func close() async {
        let last = client.withLock { client in
            defer { client = nil }
            return client
        }
        await last?.shutdown(drainingFor: .zero)
    }

    func load(_ key: CompletionCatalog.Key) async -> CompletionCatalog.Content? {
        if case .folder(let path) = key { return .names(Self.files(path)) }
        guard let client = client.withLock({ $0 }) else { return nil }
        do throws(NexaError) {
            return try await load(key, client)
        } catch {
            return nil  // completion is a help: what it cannot have, it does without
        }
    }

    private func load(
        _ key: CompletionCatalog.Key, _ client: NexaClient
    ) async throws(NexaError) -> CompletionCatalog.Content? {
        let options = CallOptions(timeout: Self.namesBudget)
        switch key {
        case .folder: return nil
        case .databases: return Self.names(try await client.databaseNames(options))
        case .collections(let database): return Self.names(try await client.database(database).collectionNames(options))
        case .users: return Self.names(try await client.users.list(options).map(\.name))
        case .indexes(let database, let collection):
            let indexes = try await client.database(database).collection(collection).indexes(options: options)
            return Self.names(indexes.map(\.name))
        case .fields(let database, let collection):
            // Logging in takes its time, and only the sample itself has a budget.
            _ = try await client.ping(options)
            var sample = CompletionSample()
            let query = client.database(database).collection(collection).find().limit(Self.sampledDocuments)
                .options(CallOptions(timeout: Self.sampleBudget))
            var iterator = query.makeAsyncIterator()
            while let document = try await iterator.next() { sample.add(document) }
            return .fields(sample)
        }
    }

    private static func names(_ names: [String]) -> CompletionCatalog.Content {
        .names(names.prefix(maximumNames).map { CompletionCandidate($0) })
    }

    /// The files of a folder, as far as they can be read.
    private static func files(_ path: String) -> [CompletionCandidate] {
        let folder = expandingHome(path.isEmpty ? "." : path)
        guard let stream = opendir(folder) else { return [] }
        defer { closedir(stream) }
        var found: [CompletionCandidate] = []
        while found.count < maximumFiles, let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard name != ".", name != ".." else { continue }
            var isFolder = Int(entry.pointee.d_type) == Int(DT_DIR)
            if Int(entry.pointee.d_type) == Int(DT_LNK) || Int(entry.pointee.d_type) == Int(DT_UNKNOWN) {
                var status = stat()
                isFolder = stat(folder + "/" + name, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
            }
            found.append(CompletionCandidate(name, isFolder ? .folder : .name))
        }
        return found
    }
}
