import TestKit
import Testing

@testable import NexaProtocol

private typealias Machine = ConnectionMachine<Int>
private let reply = FrameHeader(type: .success, payloadByteCount: 1)

/// A ready machine, 1000 s before any deadline used here.
private func readyMachine(depth: Int = 8, now: ContinuousClock.Instant) -> Machine {
    var machine = Machine(limits: .init(pipelineDepth: depth, silence: .seconds(5)), deadline: now + .seconds(5))
    var actions: [Machine.Action] = []
    machine.begin(into: &actions)
    machine.connected(handshakeByteCount: 10, at: now)
    machine.willWrite()
    machine.didWrite(10, isDone: true)
    machine.received(reply, into: &actions)
    machine.authenticated(into: &actions)
    return machine
}

@Suite struct ConnectionMachineTests {
    private let now = ContinuousClock.now

    @Test func repliesGoToTheOldestRequest() {
        var machine = readyMachine(now: now)
        var actions: [Machine.Action] = []
        for token in 1...3 { _ = machine.submit(token, byteCount: 5, deadline: now + .seconds(30), into: &actions) }
        machine.willWrite()
        machine.didWrite(15, isDone: true)
        actions = []
        for _ in 1...3 { machine.received(reply, into: &actions) }
        #expect(actions.map(summary) == ["complete 1", "complete 2", "complete 3"])
    }

    @Test func anAbandonedRequestKeepsItsPlace() {
        var machine = readyMachine(now: now)
        var actions: [Machine.Action] = []
        let first = machine.submit(1, byteCount: 5, deadline: now + .seconds(30), into: &actions)
        _ = machine.submit(2, byteCount: 5, deadline: now + .seconds(30), into: &actions)
        machine.willWrite()
        machine.didWrite(10, isDone: true)
        actions = []
        machine.abandon(first, into: &actions)
        #expect(actions.map(summary) == ["fail 1 cancelled maybeExecuted"])
        actions = []
        machine.received(reply, into: &actions)
        #expect(actions.isEmpty, "the reply of the abandoned request is passed over")
        machine.received(reply, into: &actions)
        #expect(actions.map(summary) == ["complete 2"])
    }

    @Test func theLastUnsentRequestIsWithdrawn() {
        var machine = readyMachine(now: now)
        var actions: [Machine.Action] = []
        _ = machine.submit(1, byteCount: 5, deadline: now + .seconds(30), into: &actions)
        let second = machine.submit(2, byteCount: 7, deadline: now + .seconds(30), into: &actions)
        actions = []
        machine.abandon(second, into: &actions)
        #expect(actions.map(summary) == ["retract 7", "fail 2 cancelled notSent"])
        machine.abandon(second, into: &actions)
        #expect(actions.count == 2, "a second cancellation does nothing")
    }

    @Test func aCloseWhileTheWriterIsInItsSystemCallIsCareful() {
        var machine = readyMachine(now: now)
        var actions: [Machine.Action] = []
        _ = machine.submit(1, byteCount: 5, deadline: now + .seconds(30), into: &actions)
        machine.willWrite()
        _ = machine.submit(2, byteCount: 5, deadline: now + .seconds(30), into: &actions)
        actions = []
        machine.close(.endOfStream, into: &actions)
        #expect(
            actions.map(summary) == [
                "fail 1 closed(endOfStream) maybeExecuted", "fail 2 closed(endOfStream) notSent", "close endOfStream"
            ])
    }

    @Test func aFrameThatFitsNoRequestEndsTheConnection() {
        for type in [MessageType.success, .changeEvent, .ping, MessageType(rawValue: 0xFF)] {
            var machine = readyMachine(now: now)
            var actions: [Machine.Action] = []
            machine.received(FrameHeader(type: type, payloadByteCount: 0), into: &actions)
            #expect(machine.state == .closed)
            #expect(actions.count == 1)
        }
    }

    @Test func aSilentServerIsGivenUpAndABusyOneIsNot() {
        var machine = readyMachine(now: now)
        var actions: [Machine.Action] = []
        _ = machine.submit(1, byteCount: 5, deadline: now + .seconds(1), into: &actions)
        machine.willWrite()
        machine.didWrite(5, isDone: true)
        actions = []
        machine.tick(now + .seconds(1), into: &actions)
        #expect(actions.map(summary).first == "fail 1 timedOut maybeExecuted")
        machine.receivedBytes(at: now + .seconds(4))
        actions = []
        machine.tick(now + .seconds(7), into: &actions)
        #expect(machine.state == .ready, "bytes came three seconds ago")
        machine.tick(now + .seconds(9), into: &actions)
        #expect(machine.state == .closed)
    }

    @Test func aMuteServerIsGivenUpAtTheConnectDeadline() {
        var machine = Machine(deadline: now + .seconds(5))
        var actions: [Machine.Action] = []
        machine.begin(into: &actions)
        machine.connected(handshakeByteCount: 10, at: now)
        machine.tick(now + .seconds(5), into: &actions)
        #expect(machine.state == .closed)
        #expect(actions.map(summary).last == "close connectTimedOut")
    }

    @Test func tooManyAbandonedRequestsDrainTheConnection() {
        var machine = readyMachine(depth: 4, now: now)
        var actions: [Machine.Action] = []
        let ids = (1...4).map { machine.submit($0, byteCount: 1, deadline: now + .seconds(30), into: &actions) }
        machine.willWrite()
        machine.didWrite(4, isDone: true)
        for id in ids.prefix(2) { machine.abandon(id, into: &actions) }
        #expect(machine.state == .ready)
        machine.abandon(ids[2], into: &actions)
        #expect(machine.state == .draining)
        #expect(!machine.hasRoom)
        actions = []
        for _ in 1...4 { machine.received(reply, into: &actions) }
        #expect(actions.map(summary) == ["complete 4", "close drained"])
    }

    /// Random schedules against a simulated writer and server. Checks that every request ends exactly once,
    /// that replies reach their own request, and that "not sent" is never said of what the server received.
    @Test(arguments: [UInt64](0..<40))
    func randomSchedulesKeepEveryPromise(group: UInt64) {
        for seed in group * 50..<(group + 1) * 50 {
            var simulation = Simulation(seed: seed, now: now)
            simulation.run(steps: 120)
            #expect(simulation.problems.isEmpty, "seed \(seed): \(simulation.problems)")
        }
    }
}

private func summary(_ action: Machine.Action) -> String {
    switch action {
    case .handshakeReply: "handshake"
    case .complete(let token, _): "complete \(token)"
    case .fail(let token, .closed(let reason), let delivery): "fail \(token) closed(\(reason)) \(delivery)"
    case .fail(let token, let failure, let delivery): "fail \(token) \(failure) \(delivery)"
    case .retract(let count): "retract \(count)"
    case .setDeadline: "deadline"
    case .event: "event"
    case .keepAlive: "keepAlive"
    case .close(let reason): "close \(reason)"
    }
}

/// The world around a machine: a caller, a writer that gets arbitrary parts out, and a server that executes
/// whole requests and answers them in order.
private struct Simulation {
    var random: SplitMix64
    var machine: Machine
    var clock: ContinuousClock.Instant
    var problems: [String] = []

    private var nextToken = 1
    private var sizes: [Int: Int] = [:]
    private var slots: [(token: Int, id: Machine.SlotID)] = []
    /// One entry for each byte: the token that it belongs to.
    private var out: [Int] = []
    private var writing: [Int] = []
    private var unreported = 0
    private var isWriting = false
    private var receivedBytes: [Int: Int] = [:]
    /// Requests that the server has whole, in the order of their replies.
    private var executed: [Int] = []
    private var nextReply = 0
    private var ended: [Int: String] = [:]

    init(seed: UInt64, now: ContinuousClock.Instant) {
        random = SplitMix64(seed: seed)
        clock = now
        machine = readyMachine(depth: 6, now: now)
    }

    mutating func run(steps: Int) {
        for _ in 0..<steps where machine.state != .closed { step() }
        var actions: [Machine.Action] = []
        machine.close(.requested, into: &actions)
        apply(actions, replied: nil)
        for token in 1..<nextToken where ended[token] == nil { problems.append("request \(token) never ended") }
        if machine.load != 0 { problems.append("slots are left") }
    }

    private mutating func step() {
        var actions: [Machine.Action] = []
        switch Int.random(in: 0..<20, using: &random) {
        case 0..<6:
            guard machine.hasRoom else { return }
            let size = Int.random(in: 1...4, using: &random)
            let delay = Duration.milliseconds(Int.random(in: 1...2000, using: &random))
            let id = machine.submit(nextToken, byteCount: size, deadline: clock + delay, into: &actions)
            out += Array(repeating: nextToken, count: size)
            sizes[nextToken] = size
            slots.append((nextToken, id))
            nextToken += 1
        case 6..<9:
            guard !isWriting, !writing.isEmpty || !out.isEmpty else { return }
            if writing.isEmpty {
                swap(&writing, &out)
                machine.willWrite()
            } else {
                machine.resumeWriting()
            }
            isWriting = true
            reachServer(Int.random(in: 0...writing.count, using: &random))
        case 9..<12:
            guard isWriting else { return }
            machine.didWrite(unreported, isDone: true)
            unreported = 0
            isWriting = false
        case 12..<16:
            guard nextReply < executed.count else { return }
            let token = executed[nextReply]
            nextReply += 1
            machine.receivedBytes(at: clock)
            machine.received(reply, into: &actions)
            apply(actions, replied: token)
            return
        case 16, 17:
            guard let slot = slots.randomElement(using: &random) else { return }
            machine.abandon(slot.id, into: &actions)
        case 18:
            clock += .milliseconds(Int.random(in: 1...800, using: &random))
            machine.tick(clock, into: &actions)
        default:
            guard Int.random(in: 0..<10, using: &random) == 0 else { return }
            machine.close(.endOfStream, into: &actions)
        }
        apply(actions, replied: nil)
    }

    private mutating func reachServer(_ count: Int) {
        for token in writing.prefix(count) {
            receivedBytes[token, default: 0] += 1
            if receivedBytes[token] == sizes[token] { executed.append(token) }
        }
        writing.removeFirst(count)
        unreported += count
    }

    private mutating func apply(_ actions: [Machine.Action], replied: Int?) {
        for action in actions {
            switch action {
            case .complete(let token, _):
                if token != replied { problems.append("request \(token) got the reply of \(replied ?? 0)") }
                end(token, "completed")
            case .fail(let token, _, let delivery):
                if delivery == .notSent, receivedBytes[token] == sizes[token] {
                    problems.append("request \(token) was executed but counts as not sent")
                }
                end(token, "failed \(delivery)")
            case .retract(let count):
                if out.count < count { problems.append("retracts bytes that have left") }
                out.removeLast(min(count, out.count))
            case .handshakeReply: problems.append("a second handshake")
            case .setDeadline(let deadline):
                if deadline <= clock { problems.append("asks for a tick in the past") }
            case .close, .event, .keepAlive: break
            }
        }
    }

    private mutating func end(_ token: Int, _ how: String) {
        if let before = ended[token] { problems.append("request \(token) \(how) after it had \(before)") }
        ended[token] = how
    }
}
