import TestKit

@testable import NexaProtocol

/// The world around a connection machine: a caller, a writer that gets arbitrary parts out, and a server that
/// executes whole requests and answers them in order. It knows what is true and checks what the machine says.
struct ConnectionSimulation {
    typealias Machine = ConnectionMachine<Int>

    /// Changes what the machine says, to see that the checks notice.
    enum Fault: CaseIterable {
        case none, swapsReplies, losesAFailure, endsTwice, callsExecutedUnsent, retractsTooMuch, forgetsTheTimer
    }

    static let reply = FrameHeader(type: .success, payloadByteCount: 1)
    static let event = FrameHeader(type: .changeEvent, payloadByteCount: 1)
    static let requestBytes = 1...4

    var random: SplitMix64
    var machine: Machine
    var clock: MonotonicInstant
    var problems: [String] = []

    private let fault: Fault
    private let isSubscribed: Bool
    private var slots: [Machine.SlotID] = []
    /// By token, from 1: the request's size, what of it has reached the server, and whether it has ended. Token 0
    /// is the PING of the connection's own.
    private var sizes = [0], arrived = [0], ended = [true]
    /// Tokens of bytes that are no request and have no reply.
    private var unanswered: Set<Int> = []
    /// One entry for each byte: the token that it belongs to.
    private var out: [Int] = []
    private var writing: [Int] = []
    private var unreported = 0
    private var isWriting = false
    private var isPaused = false
    /// Requests that the server has whole, in the order of their replies.
    private var executed: [Int] = []
    private var nextReply = 0
    private var deadline: MonotonicInstant?
    private var eventsExpected = 0
    private var eventsSeen = 0
    private var actions: [Machine.Action] = []

    init(seed: UInt64, now: MonotonicInstant, fault: Fault = .none) {
        random = SplitMix64(seed: seed)
        clock = now
        self.fault = fault
        isSubscribed = seed % 4 == 0
        machine = Machine(
            limits: .init(pipelineDepth: 6, silence: .seconds(2), keepAlive: .seconds(3)), deadline: now + .seconds(5))
        machine.begin(into: &actions)
        machine.connected(handshakeByteCount: 10, at: now)
        machine.willWrite()
        machine.didWrite(10, isDone: true)
        machine.received(Self.reply, into: &actions)
        machine.authenticated(into: &actions)
        if isSubscribed { machine.acceptEvents() }
        actions.removeAll { if case .handshakeReply = $0 { true } else { false } }
        apply(replied: nil)
    }

    mutating func run(steps: Int) {
        for _ in 0..<steps where machine.state != .closed && problems.isEmpty { step() }
        machine.close(.requested, into: &actions)
        apply(replied: nil)
        for token in ended.indices where !ended[token] { problems.append("request \(token) never ended") }
        if machine.load != 0 { problems.append("slots are left") }
        if eventsSeen != eventsExpected { problems.append("\(eventsSeen) events instead of \(eventsExpected)") }
    }

    private mutating func pick(_ count: UInt64) -> UInt64 { random.next() % count }

    private mutating func step() {
        var replied: Int?
        switch pick(24) {
        case 0..<6: submit()
        case 6..<9: beginWriting()
        case 9..<12:
            guard isWriting else { return }
            machine.didWrite(unreported, isDone: true)
            unreported = 0
            isWriting = false
        case 12..<17:
            guard nextReply < executed.count, !isPaused else { return }
            replied = executed[nextReply]
            nextReply += 1
            machine.receivedBytes(at: clock)
            machine.received(Self.reply, into: &actions)
        case 17, 18:
            guard !slots.isEmpty else { return }
            machine.abandon(slots[Int(pick(UInt64(slots.count)))], into: &actions)
        case 19: pass(.milliseconds(Int(1 + pick(800))))
        case 20:
            // Nothing but the timer for a while.
            guard let deadline else { return }
            pass(max(deadline - clock, .zero))
        case 21:
            guard isSubscribed, !isPaused else { return }
            eventsExpected += 1
            machine.receivedBytes(at: clock)
            machine.received(Self.event, into: &actions)
        case 22:
            guard isSubscribed else { return }
            isPaused.toggle()
            machine.readingPaused(isPaused, at: clock, into: &actions)
        default:
            switch pick(20) {
            case 0: machine.close(.endOfStream, into: &actions)
            case 1: machine.drain(into: &actions)
            default: return
            }
        }
        apply(replied: replied)
    }

    private mutating func submit() {
        guard machine.hasRoom else { return }
        let size = Int(1 + pick(4))
        let token = sizes.count
        sizes.append(size)
        arrived.append(0)
        ended.append(false)
        let end = clock + .milliseconds(Int(1 + pick(2000)))
        slots.append(machine.submit(token, byteCount: size, deadline: end, into: &actions))
        for _ in 0..<size { out.append(token) }
    }

    /// Sends what has no reply, as a CANCEL.
    private mutating func cancel() {
        let token = sizes.count
        let size = Int(1 + pick(3))
        sizes.append(size)
        arrived.append(0)
        ended.append(true)
        unanswered.insert(token)
        machine.submitUnanswered(byteCount: size)
        for _ in 0..<size { out.append(token) }
    }

    private mutating func beginWriting() {
        guard !isWriting, !writing.isEmpty || !out.isEmpty else { return }
        if writing.isEmpty {
            swap(&writing, &out)
            machine.willWrite()
        } else {
            machine.resumeWriting()
        }
        isWriting = true
        let count = Int(pick(UInt64(writing.count + 1)))
        for token in writing.prefix(count) {
            arrived[token] += 1
            guard arrived[token] == sizes[token], !unanswered.contains(token) else { continue }
            executed.append(token)
            if token == 0 { arrived[0] = 0 }
        }
        writing.removeFirst(count)
        unreported += count
    }

    private mutating func pass(_ duration: Duration) {
        clock += duration
        guard let due = deadline, due <= clock else { return }
        deadline = nil
        machine.tick(clock, into: &actions)
    }

    private mutating func apply(replied: Int?) {
        spoil()
        var position = 0
        while position < actions.count {
            switch actions[position] {
            case .complete(let token, _):
                if token != replied { problems.append("request \(token) got the reply of \(replied ?? -1)") }
                end(token)
            case .fail(let token, _, let delivery):
                if delivery == .notSent, arrived[token] == sizes[token] {
                    problems.append("request \(token) was executed but counts as not sent")
                }
                end(token)
                if delivery == .maybeExecuted, machine.state != .closed, pick(2) == 0 { cancel() }
            case .retract(let count):
                let isWhole = out.suffix(count).allSatisfy { $0 == out.last } && out.last.map { sizes[$0] } == count
                if !isWhole { problems.append("retracts what is not one request") }
                out.removeLast(min(count, out.count))
            case .handshakeReply: problems.append("a second handshake")
            case .setDeadline(let due):
                if due <= clock { problems.append("asks for a tick in the past") }
                if fault != .forgetsTheTimer { deadline = due }
            case .event: eventsSeen += 1
            case .keepAlive:
                if machine.submitKeepAlive(byteCount: 1, at: clock, into: &actions) {
                    sizes[0] = 1
                    out.append(0)
                }
            case .close: break
            }
            position += 1
        }
        actions.removeAll(keepingCapacity: true)
        guard machine.state != .closed else { return }
        // Whoever waits is looked after: the timer stands no later than the first deadline.
        let first = (0..<machine.slots.count).compactMap { position -> MonotonicInstant? in
            if case .waiting = machine.slots[position].phase { machine.slots[position].deadline } else { nil }
        }.min()
        if let first, deadline.map({ $0 > max(first, clock) }) ?? true { problems.append("no timer for a request") }
        if machine.load > 6 { problems.append("more requests than the depth") }
        if machine.abandonedCount > 3, machine.state == .ready, machine.load > 3 {
            problems.append("goes on with more than half of its requests abandoned")
        }
    }

    private mutating func end(_ token: Int) {
        if ended[token] { problems.append("request \(token) ended twice") }
        ended[token] = true
    }

    /// Applies the fault to what the machine has just said.
    private mutating func spoil() {
        guard fault != .none else { return }
        for position in actions.indices {
            switch (fault, actions[position]) {
            case (.swapsReplies, .complete(let token, let header)):
                if let other = ended.indices.first(where: { !ended[$0] && $0 != token }) {
                    actions[position] = .complete(other, header)
                }
            case (.losesAFailure, .fail(_, .timedOut, _)):
                actions[position] = .setDeadline(clock + .seconds(1))
            case (.endsTwice, .complete(let token, _)):
                actions.append(.fail(token, .timedOut, .maybeExecuted))
            case (.callsExecutedUnsent, .fail(let token, let failure, .maybeExecuted)):
                actions[position] = .fail(token, failure, .notSent)
            case (.retractsTooMuch, .retract(let count)): actions[position] = .retract(byteCount: count + 1)
            default: break
            }
        }
    }
}
