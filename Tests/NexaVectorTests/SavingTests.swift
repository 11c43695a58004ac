import Glibc
import NexaVector
import Synchronization
import TestKit
import Testing

/// What goes on while an image is written.
@Suite("Saving vector images")
struct SavingTests {
    let folder: TemporaryDirectory
    init() throws { folder = try TemporaryDirectory(inMemory: true) }

    private static let configuration = Configuration(
        dimensions: 8, metric: .l2, maxConnections: 8, efConstruction: 40)

    /// The thread that saves, as a folder of /proc.
    private final class Saver: Sendable {
        private let path = Atomic<Int>(0)

        func begin() {
            var text = [CChar](repeating: 0, count: 64)
            let count = readlink("/proc/thread-self", &text, 63)
            let digits = text.prefix(max(0, count)).map { UInt8(bitPattern: $0) }.split(separator: UInt8(ascii: "/"))
            path.store(Int(String(decoding: digits.last ?? [], as: UTF8.self)) ?? 0, ordering: .releasing)
        }

        /// Whether it waits for something: in this test only for the other end of the pipe.
        var isAsleep: Bool {
            let thread = path.load(ordering: .acquiring)
            guard thread != 0 else { return false }
            let text = String(decoding: Files.read("/proc/self/task/\(thread)/stat"), as: UTF8.self)
            return text.split(separator: ")").last?.hasPrefix(" S") ?? false
        }
    }

    @Test("A device that does not answer holds up neither puts nor removals nor searches")
    func aStuckDevice() async throws {
        let index = try VectorIndex(Self.configuration)
        var random = SplitMix64(seed: seed("Stuck device"))
        for number in 0..<300 { try index.put(random.vector(8), id: id(number)) }
        index.linkAll()
        // To open a pipe for writing takes somebody who reads.
        let pipe = folder["image.part"]
        try #require(mkfifo(pipe, 0o600) == 0)
        let (saver, path) = (Saver(), folder["image"])
        let saving = Task.detached {
            saver.begin()
            do throws(VectorError) {
                try index.save(to: path, tag: 1)
                return VectorError.Code?.none
            } catch {
                return error.code
            }
        }
        while !saver.isAsleep { await Task.yield() }
        for number in 200..<400 {
            let vector = random.vector(8)
            try index.put(vector, id: id(number))
            #expect(index.remove(id(number - 200)))
            #expect(index.search(vector, k: 1, ef: 20).first?.id == id(number))
        }
        #expect(index.count == 200)
        let reader = open(pipe, O_RDONLY)
        // Nothing can be written at an offset of a pipe; the error ends what has begun.
        #expect(await saving.value == .inputOutput)
        close(reader)
        index.linkAll()
        #expect(index.unlinkedCount == 0 && index.removedCount <= 5)
        #expect(index.recall(of: random.vectors(20, 8)) >= 0.95)
    }

    /// What one writer did, in order.
    private final class Log: Sendable {
        struct Entry {
            var number: Int
            /// `nil` for a removal.
            var vector: [Float]?
        }

        let entries = Mutex<[Entry]>([])
        let done = Atomic<Int>(0)

        /// Whether `contents` is what is there after so many entries, or more.
        func explains(_ contents: [[UInt8]: [Float]], owner: UInt8, least: Int) -> Bool {
            let mine = contents.filter { $0.key[0] == owner }
            return entries.withLock { entries in
                var model: [[UInt8]: [Float]] = [:]
                for count in 0...entries.count {
                    if count >= least, model == mine { return true }
                    if count < entries.count {
                        let entry = entries[count]
                        model[[owner, UInt8(entry.number)]] = entry.vector
                    }
                }
                return false
            }
        }
    }

    @Test("An image is what was there in one moment, whatever happens meanwhile", arguments: 0..<3)
    func aMoment(round: Int) async throws {
        let seed = seed("Moments \(round)")
        let index = try VectorIndex(Self.configuration, seed: seed)
        let logs = (0..<3).map { _ in Log() }
        let folder = folder
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (owner, log) in logs.enumerated() {
                group.addTask {
                    var random = SplitMix64(seed: seed &+ UInt64(owner))
                    for _ in 0..<1500 {
                        let number = Int.random(in: 0..<200, using: &random)
                        let isRemoval = Int.random(in: 0..<3, using: &random) == 0
                        let vector = isRemoval ? nil : random.vector(8)
                        log.entries.withLock { $0.append(.init(number: number, vector: vector)) }
                        if let vector {
                            try index.put(vector, id: [UInt8(owner), UInt8(number)])
                        } else {
                            index.remove([UInt8(owner), UInt8(number)])
                        }
                        log.done.add(1, ordering: .releasing)
                        if number == 0 { await Task.yield() }
                    }
                }
            }
            group.addTask {
                for _ in 0..<400 {
                    index.link(limit: 20)
                    await Task.yield()
                }
            }
            for tag in UInt64(0)..<12 {
                let least = logs.map { $0.done.load(ordering: .acquiring) }
                try index.save(to: folder["image"], tag: tag)
                let (loaded, known) = try VectorIndex.load(from: folder["image"], expecting: Self.configuration)
                #expect(known == tag)
                let contents = loaded.contents
                for (owner, log) in logs.enumerated() {
                    let isMoment = log.explains(contents, owner: UInt8(owner), least: least[owner])
                    #expect(isMoment, "seed \(seed), image \(tag), writer \(owner)")
                }
                loaded.linkAll()
                #expect(loaded.contents == contents && loaded.unlinkedCount == 0)
                var random = SplitMix64(seed: seed &+ tag)
                let recall = loaded.recall(of: random.vectors(10, 8), ef: 200)
                #expect(recall >= 0.95, "seed \(seed), image \(tag): \(recall)")
                await Task.yield()
            }
            try await group.waitForAll()
        }
        index.linkAll()
        for (owner, log) in logs.enumerated() {
            #expect(log.explains(index.contents, owner: UInt8(owner), least: 1500), "seed \(seed)")
        }
    }
}
