import Glibc
import NexaProtocol
import NexaTransport
import Synchronization
import TestKit
import Testing

extension TransportTests {
    @Suite struct ReactorTests {
        @Test func closuresFromManyThreadsRunOnceInOrderPerThread() async throws {
            let reactor = try Reactor()
            defer { reactor.shutdown() }
            let seen = Locked<[[Int]]>(Array(repeating: [], count: 8))
            await withTaskGroup(of: Void.self) { group in
                for worker in 0..<8 {
                    group.addTask {
                        for number in 0..<1000 {
                            reactor.execute { seen.withLock { $0[worker].append(number) } }
                        }
                    }
                }
            }
            _ = try await reactor.perform { 0 }
            seen.withLock { for worker in $0 { #expect(worker == Array(0..<1000)) } }
        }

        @Test func timersFireInOrderAndCancelledOnesDoNot() async throws {
            let reactor = try Reactor()
            defer { reactor.shutdown() }
            let fired = Locked<[Int]>([])
            let done = Promise<Bool>()
            reactor.execute {
                let now = MonotonicInstant.now
                _ = reactor.schedule(at: now + .milliseconds(9)) { done.fulfil(true) }
                for delay in [6, 2, 4] {
                    _ = reactor.schedule(at: now + .milliseconds(delay)) { fired.withLock { $0.append(delay) } }
                }
                let cancelled = reactor.schedule(at: now + .milliseconds(3)) { fired.withLock { $0.append(3) } }
                reactor.cancel(cancelled)
            }
            #expect(await done.value)
            #expect(fired.withLock { $0 } == [2, 4, 6])
        }

        @Test func theTurnEndHookRunsAfterEverythingThatArrivedTogether() async throws {
            let reactor = try Reactor()
            defer { reactor.shutdown() }
            let log = Locked<[String]>([])
            try await reactor.perform {
                reactor.setTurnEndHook { log.withLock { if !$0.isEmpty, $0.last != "hook" { $0.append("hook") } } }
                reactor.runSoon { log.withLock { $0.append("soon") } }
                reactor.runSoon { reactor.runSoon { log.withLock { $0.append("sooner") } } }
            }
            _ = try await reactor.perform { 0 }
            #expect(log.withLock { Array($0.prefix(3)) } == ["soon", "sooner", "hook"])
        }

        @Test func tasksThatPreferTheReactorRunOnItsThread() async throws {
            let reactor = try Reactor()
            defer { reactor.shutdown() }
            let onThread = await withTaskExecutorPreference(reactor) {
                var all = reactor.isOnThread
                for _ in 0..<100 {
                    await Task.yield()
                    all = all && reactor.isOnThread
                }
                return all
            }
            #expect(onThread)
            #expect(!reactor.isOnThread)
        }

        @Test func tasksOfAStoppedReactorStillEnd() async throws {
            let reactor = try Reactor()
            reactor.shutdown()
            let result = await Task(executorPreference: reactor) { 7 }.value
            #expect(result == 7)
            #expect(reactor.execute {} == false)
        }

        /// In a process of its own, where nobody else opens descriptors or threads.
        @Test func shutdownLeavesNeitherThreadsNorDescriptors() async throws {
            await #expect(processExitsWith: .success) {
                let descriptors = await OwnProcess.settledSockets()
                for round in 0..<50 {
                    let reactor = try Reactor()
                    let pair = try StreamSocket.pair()
                    let closed = Promise<ChannelCloseReason>()
                    try await reactor.perform {
                        _ = try Channel(pair.0, on: reactor, handler: Recorder(closed: closed))
                        if round % 2 == 0 { _ = reactor.schedule(at: .now + .seconds(3600)) {} }
                    }
                    // Other threads go on handing work over while the reactor stops.
                    let busy = Task.detached { while reactor.execute({}) {} }
                    reactor.shutdown()
                    await busy.value
                    #expect(await closed.value == .reactorStopped)
                    pair.1.close()
                }
                // Not ==: the runtime closes an eventfd of its own at some time.
                #expect(OwnProcess.openSockets() <= descriptors)
                // The kernel lists a thread for a moment after it was joined.
                while OwnProcess.threadCount(named: "nexa-reactor") > 0 { await Task.yield() }
            }
        }

        @Test func anEventOfAClosedDescriptorNeverReachesItsSuccessor() async throws {
            let reactor = try Reactor()
            defer { reactor.shutdown() }
            // Both sockets become readable in one turn; the first handler closes the second and opens another
            // that gets the same descriptor number. The event already fetched must not reach it.
            let strayCalls = try await reactor.perform { () -> Int in
                let first = try StreamSocket.pair()
                let second = try StreamSocket.pair()
                let probe = Probe()
                let successor = Probe()
                try reactor.register(first.0.descriptor, probe)
                try reactor.register(second.0.descriptor, probe)
                probe.onReady = {
                    probe.onReady = nil
                    for (mine, theirs) in [(first.0, first.1), (second.0, second.1)] {
                        reactor.deregister(mine.descriptor)
                        mine.close()
                        theirs.close()
                    }
                    let next = try? StreamSocket.pair()
                    guard let next else { return }
                    successor.sockets = [next.0, next.1]
                    try? reactor.register(next.0.descriptor, successor)
                }
                for peer in [first.1, second.1] { _ = [UInt8(1)].withUnsafeBytes { peer.write($0) } }
                return 0
            }
            _ = try await reactor.perform { 0 }
            #expect(strayCalls == 0)
            #expect(successorCalls.withLock { $0 } == 0)
        }
    }
}

private let successorCalls = Locked(0)

private final class Probe: EventHandler {
    var onReady: (() -> Void)?
    /// Closed with the reactor.
    var sockets: [StreamSocket] = []
    func ready(_ events: Readiness) {
        if let onReady { onReady() } else { successorCalls.withLock { $0 += 1 } }
    }
    func reactorStopped() {
        for socket in sockets { socket.close() }
    }
}

private final class Recorder: ChannelHandler {
    let closed: Promise<ChannelCloseReason>
    init(closed: Promise<ChannelCloseReason>) { self.closed = closed }
    func channel(_ channel: Channel, received bytes: RawSpan) -> Int { bytes.byteCount }
    func channelClosed(_ channel: Channel, reason: ChannelCloseReason) { closed.fulfil(reason) }
}
