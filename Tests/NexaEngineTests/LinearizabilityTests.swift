import NexaEngine
import NexaQuery
import NexaValue
import Synchronization
import TestKit
import Testing

/// Each document behaves as one that is changed by one caller after the other: every answer that was given under
/// concurrency is explained by an order of the operations in which none begins after it ended.
@Suite struct LinearizabilityTests {
    /// The number `n` of a document; `nil` when there is none.
    typealias State = Int64?

    enum Operation: Hashable, Sendable {
        case read
        case insert(Int64)
        case set(Int64)
        case increment(Int64)
        case delete
        /// Sets the number where it has a value.
        case exchange(Int64, for: Int64)
    }

    enum Answer: Hashable, Sendable {
        case value(State)
        case done(Bool)
    }

    struct Event: Sendable {
        var operation: Operation
        var answer: Answer
        /// Ticks of one clock that all callers share.
        var began: Int
        var ended: Int
    }

    static func apply(_ operation: Operation, to state: inout State) -> Answer {
        switch operation {
        case .read: return .value(state)
        case .insert(let value):
            guard state == nil else { return .done(false) }
            state = value
            return .done(true)
        case .set(let value):
            guard state != nil else { return .done(false) }
            state = value
        case .increment(let value):
            guard let old = state else { return .done(false) }
            state = old + value
        case .delete:
            guard state != nil else { return .done(false) }
            state = nil
        case .exchange(let value, let expected):
            guard state == expected else { return .done(false) }
            state = value
        }
        return .done(true)
    }

    /// Wing and Gong's search with Lowe's memory of what was tried: an operation may come first if none of those that are
    /// left ended before it began.
    static func isLinearizable(_ history: [Event]) -> Bool {
        struct Configuration: Hashable {
            var done: [Bool]
            var state: State
        }
        let events = history.sorted { $0.began < $1.began }
        var tried: Set<Configuration> = []
        var stack = [Configuration(done: Array(repeating: false, count: events.count), state: nil)]
        while let current = stack.popLast() {
            guard let first = current.done.firstIndex(of: false) else { return true }
            var earliestEnd = Int.max
            for index in first..<events.count where !current.done[index] {
                // What begins behind the end of another cannot come before it, nor can what begins later still.
                if events[index].began > earliestEnd { break }
                earliestEnd = min(earliestEnd, events[index].ended)
            }
            for index in first..<events.count where !current.done[index] {
                if events[index].began > earliestEnd { break }
                var next = current
                guard apply(events[index].operation, to: &next.state) == events[index].answer else { continue }
                next.done[index] = true
                if tried.insert(next).inserted { stack.append(next) }
            }
        }
        return false
    }

    private final class Clock: Sendable {
        private let ticks = Atomic<Int>(0)
        func tick() -> Int { ticks.add(1, ordering: .sequentiallyConsistent).newValue }
    }

    private static func run(_ operation: Operation, _ id: Value, _ engine: Engine, _ durability: Durability)
        async throws -> Answer
    {
        switch operation {
        case .read: return .value(try engine.document(id: id, collection: "c")?["n"]?.int)
        case .insert(let value):
            do {
                _ = try await engine.insert(["_id": id, "n": .int(value)], collection: "c", durability: durability)
                return .done(true)
            } catch {
                guard error.code == .duplicateID else { throw error }
                return .done(false)
            }
        case .set(let value):
            return .done(
                try await engine.update(id: id, ["n": .int(value)], collection: "c", durability: durability))
        case .delete: return .done(try await engine.delete(id: id, collection: "c", durability: durability))
        case .increment(let value):
            let result = try await engine.write(
                .update(["_id": id], ["$inc": ["n": .int(value)]], isMany: false), collection: "c")
            return .done(result.matched == 1)
        case .exchange(let value, let expected):
            let result = try await engine.write(
                .update(["_id": id, "n": .int(expected)], ["$set": ["n": .int(value)]], isMany: false),
                collection: "c")
            return .done(result.matched == 1)
        }
    }

    @Test(arguments: [1, 2, UInt64.random(in: 0 ... .max)])
    func documentsAreLinearizable(seed: UInt64) async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        try await engine.makeIndex(IndexDefinition(keys: [.init("n")]))
        let clock = Clock()
        let documents = 4
        let histories = try await withThrowingTaskGroup(of: [[Event]].self) { group in
            for writer in 0..<6 {
                group.addTask {
                    var random = SplitMix64(seed: seed &+ UInt64(writer) &* 977)
                    var events = [[Event]](repeating: [], count: documents)
                    for _ in 0..<150 {
                        let document = Int.random(in: 0..<documents, using: &random)
                        let value = Int64.random(in: 0..<5, using: &random)
                        let operation: Operation =
                            switch Int.random(in: 0..<8, using: &random) {
                            case 0: .insert(value)
                            case 1: .set(value)
                            case 2: .increment(value + 1)
                            case 3: .delete
                            case 4: .exchange(value + 10, for: Int64.random(in: 0..<15, using: &random))
                            default: .read
                            }
                        let durability: Durability = Bool.random(using: &random) ? .os : .sync
                        let began = clock.tick()
                        let answer = try await Self.run(operation, .int(Int64(document)), engine, durability)
                        events[document].append(
                            Event(operation: operation, answer: answer, began: began, ended: clock.tick()))
                    }
                    return events
                }
            }
            var histories = [[Event]](repeating: [], count: documents)
            for try await events in group {
                for (document, more) in events.enumerated() { histories[document] += more }
            }
            return histories
        }
        for (document, history) in histories.enumerated() {
            #expect(Self.isLinearizable(history), "seed \(seed), document \(document)")
            // Changed at one place, there is no order that explains it: the checker sees what it is to see.
            var broken = history
            if let read = broken.indices.first(where: { broken[$0].operation == .read }) {
                broken[read].answer = .value(-1)
                #expect(!Self.isLinearizable(broken), "seed \(seed), document \(document)")
            }
        }
        #expect(try engine.checkIndexes(database: "default", collection: "c") == [])
    }

    /// What an answer tells of can be read by whoever gets it, also when it tells of a write that was queued only.
    @Test func answersThatChangeNothingComeBehindWhatTheyTellOf() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        let order = Order()
        func insert(deferred: Bool) {
            engine.insert(
                database: "default", collection: "c", document: MessagePack.encode(["_id": 1] as Document),
                isDeferred: deferred
            ) { order.append($0.isSuccess ? "inserted" : "duplicate") }
        }
        func delete(deferred: Bool) {
            engine.delete(database: "default", collection: "c", id: 1, isDeferred: deferred) {
                order.append((try? $0.get()) == true ? "deleted" : "not there")
            }
        }
        try await engine.createCollection(name: "c")
        insert(deferred: true)
        insert(deferred: true)
        delete(deferred: true)
        delete(deferred: true)
        engine.update(
            database: "default", collection: "c", id: 1, updates: MessagePack.encode(["n": 1] as Document),
            isDeferred: true
        ) { order.append((try? $0.get()) == true ? "updated" : "nothing to update") }
        let update = try engine.write(database: "default", collection: "c", [.update(["_id": 1], ["$set": ["n": 1]])])
        #expect(update.step(budget: 100) == .done)
        update.finish { _ in order.append("nothing to write") }
        #expect(order.words == [])
        engine.flushPending()
        await order.wait(for: 6)
        #expect(
            order.words == ["inserted", "duplicate", "deleted", "not there", "nothing to update", "nothing to write"])
    }

    /// The same of an error that a queued value is the cause of.
    @Test func errorsOfQueuedValuesComeBehindThem() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        let order = Order()
        try await engine.createCollection(name: "c")
        let half = Value.bytes([UInt8](repeating: 7, count: EngineLimits.maximumDocumentBytes / 2 + 1000))
        engine.insert(
            database: "default", collection: "c", document: MessagePack.encode(["_id": 1, "a": half] as Document),
            isDeferred: true
        ) { order.append($0.isSuccess ? "inserted" : "not inserted") }
        engine.update(
            database: "default", collection: "c", id: 1, updates: MessagePack.encode(["b": half] as Document),
            isDeferred: true
        ) { order.append($0.isSuccess ? "updated" : "too large") }
        #expect(order.words == [])
        engine.flushPending()
        await order.wait(for: 2)
        #expect(order.words == ["inserted", "too large"])
    }

    private final class Order: Sendable {
        private let list = Mutex<[String]>([])
        var words: [String] { list.withLock { $0 } }
        func append(_ word: String) { list.withLock { $0.append(word) } }
        func wait(for count: Int) async {
            while words.count < count { await Task.yield() }
        }
    }

    /// Histories that no order explains.
    @Test func theCheckerKnowsWrongHistories() {
        func event(_ operation: Operation, _ answer: Answer, _ began: Int, _ ended: Int) -> Event {
            Event(operation: operation, answer: answer, began: began, ended: ended)
        }
        let insert = event(.insert(1), .done(true), 1, 2)
        #expect(Self.isLinearizable([insert, event(.read, .value(1), 3, 4)]))
        #expect(!Self.isLinearizable([insert, event(.read, .value(nil), 3, 4)]), "a stale read")
        #expect(Self.isLinearizable([event(.insert(1), .done(true), 1, 5), event(.read, .value(nil), 3, 4)]))
        let lost = [
            insert, event(.increment(1), .done(true), 3, 6), event(.increment(1), .done(true), 4, 7),
            event(.read, .value(2), 8, 9)
        ]
        #expect(!Self.isLinearizable(lost), "a lost update")
        let turned = [
            insert, event(.set(2), .done(true), 3, 10), event(.read, .value(2), 4, 5), event(.read, .value(1), 6, 7)
        ]
        #expect(!Self.isLinearizable(turned), "a value that goes back")
    }
}

extension Result {
    fileprivate var isSuccess: Bool { if case .success = self { true } else { false } }
}
