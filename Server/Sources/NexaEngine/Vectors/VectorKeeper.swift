import NexaStorage
import NexaVector

/// Keeps the vector indexes of an engine: threads that link new vectors into the graphs, and the images from which the
/// next start takes them.
final class VectorKeeper: Sendable {
    private struct State {
        var threads: [WorkerThread] = []
        var isClosing = false
        var isWoken = false
        /// Threads that are at work.
        var busy = 0
        var isSaving = false
        /// Builds that were asked for.
        var builds: [VectorBuild] = []
    }

    /// Vectors that are linked before a thread looks what else there is to do.
    private static let chunk = 64
    /// An image is written after so many changes at least, and a quarter of the vectors; while there is always
    /// something to link, after as many changes as there are vectors.
    private static let changesPerImage = 4000

    private let images: VectorImages
    private let threadCount: Int
    private let state = Monitor(State())

    init(images: VectorImages, threads: Int) {
        self.images = images
        threadCount = max(1, threads)
    }

    /// There is something to do. Starts the threads when it is for the first time.
    func wake(_ engine: Engine) {
        let mustStart = state.withLock { state in
            guard !state.isClosing else { return false }
            state.isWoken = true
            return state.threads.isEmpty
        }
        if mustStart { start(engine) }
        state.wakeAll()
    }

    private func start(_ engine: Engine) {
        state.withLock { state in
            guard state.threads.isEmpty, !state.isClosing else { return }
            for _ in 0..<threadCount {
                // The engine ends the threads when it closes, before it goes.
                let thread = try? WorkerThread(name: "nexa-vectors") { [self, weak engine] in
                    while let strong = engine, work(strong) {}
                }
                if let thread { state.threads.append(thread) }
            }
        }
    }

    /// Ends the threads after what they are at, and writes images of what has changed.
    func shutDown(_ engine: Engine) {
        let threads = state.withLock { state in
            state.isClosing = true
            defer { state.threads = [] }
            return state.threads
        }
        state.wakeAll()
        for thread in threads { thread.join() }
        for build in state.withLock({ $0.builds }) {
            build.completion(.failure(EngineError(.shuttingDown, "The server is shutting down")))
        }
        saveAll(engine)
    }

    /// Builds an index anew in the background.
    func build(_ build: VectorBuild, _ engine: Engine) {
        let isAccepted = state.withLock { state in
            guard !state.isClosing else { return false }
            state.builds.append(build)
            return true
        }
        guard isAccepted else {
            return build.completion(.failure(EngineError(.shuttingDown, "The server is shutting down")))
        }
        wake(engine)
    }

    var isClosing: Bool { state.withLock { $0.isClosing } }

    // MARK: The threads

    /// One round; false when the thread has to end.
    private func work(_ engine: Engine) -> Bool {
        if isClosing { return false }
        if let build = state.withLock({ $0.builds.isEmpty ? nil : $0.builds.removeFirst() }) {
            build.run(engine, self)
            return true
        }
        var linked = 0
        for index in engine.vectorIndexes {
            guard let field = index.vectors else { continue }
            linked += field.current.link(limit: Self.chunk)
            if isClosing { return false }
        }
        let share = linked > 0 ? 1 : 4
        for index in engine.vectorIndexes {
            let limit = max(Self.changesPerImage, (index.vectors?.current.count ?? 0) / share)
            save(index, engine, changes: limit)
        }
        if linked > 0 { return true }
        state.wait(until: { $0.isWoken || $0.isClosing || !$0.builds.isEmpty }, deadline: { _ in nil }) {
            $0.isWoken = false
        }
        return true
    }

    /// Writes images of all indexes that have changed, now.
    func saveAll(_ engine: Engine) {
        for index in engine.vectorIndexes { save(index, engine, changes: 1) }
    }

    /// Writes an image if there were so many changes since the last.
    private func save(_ index: Index, _ engine: Engine, changes limit: Int) {
        guard let field = index.vectors, index.state == .ready, field.changes >= limit else { return }
        let mayGo = state.withLock { state in
            guard !state.isSaving else { return false }
            state.isSaving = true
            return true
        }
        guard mayGo else { return }
        defer { state.withLock { $0.isSaving = false } }
        do throws(EngineError) {
            let changes = field.changes
            try images.save(index, field, engine.store)
            field.noteImage(of: changes)
        } catch {
            guard error.code != .shuttingDown else { return }
            engine.onNotice(
                EngineNotice(
                    isWarning: true,
                    message: "The image of vector index '\(index.name)' could not be written, so the next start "
                        + "builds it anew: \(error)"))
        }
    }
}
