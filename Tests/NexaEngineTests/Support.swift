@_spi(Testing) import NexaEngine
import NexaValue
import TestKit

/// An engine over a directory of its own; closed before the directory goes.
final class Fixture {
    let directory: TemporaryDirectory
    private(set) var engine: Engine

    init(_ configure: (inout EngineOptions) -> Void = { _ in }) throws {
        directory = try TemporaryDirectory(inMemory: true)
        engine = try Self.open(directory.path, configure)
    }

    deinit { engine.close() }

    static func open(
        _ path: String, _ configure: (inout EngineOptions) -> Void = { _ in }
    ) throws(EngineError) -> Engine {
        var options = EngineOptions()
        options.blockCacheBytes = 8 << 20
        options.documentCacheBytes = 1 << 20
        options.writeBufferBytes = 4 << 20
        configure(&options)
        return try Engine.open(at: path, options: options)
    }

    /// How many documents there are, with or without a collection.
    func storedDocumentCount() -> Int { engine.storedDocumentCount() }

    /// Closes the engine and opens the directory again.
    func reopen() throws(EngineError) {
        engine.close()
        engine = try Self.open(directory.path)
    }
}
