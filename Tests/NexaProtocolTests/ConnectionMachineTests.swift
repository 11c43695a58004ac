import TestKit
import Testing

@testable import NexaProtocol

private typealias Machine = ConnectionMachine<Int>
private let reply = FrameHeader(type: .success, payloadByteCount: 1)

/// A ready machine, 1000 s before any deadline used here.
private func readyMachine(depth: Int = 8, now: MonotonicInstant) -> Machine {
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
    private let now = MonotonicInstant.now

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

    @Test func aQuietServerIsAskedForASignOfLife() {
        var machine = Machine(
            limits: .init(pipelineDepth: 4, silence: .seconds(5), keepAlive: .seconds(30)), deadline: now + .seconds(5))
        var actions: [Machine.Action] = []
        machine.connected(handshakeByteCount: 1, at: now)
        machine.willWrite()
        machine.didWrite(1, isDone: true)
        machine.received(reply, into: &actions)
        actions = []
        machine.authenticated(into: &actions)
        guard case .setDeadline(now + .seconds(30))? = actions.first else {
            Issue.record("no time was asked for: \(actions)")
            return
        }
        machine.receivedBytes(at: now + .seconds(10))
        actions = []
        machine.tick(now + .seconds(30), into: &actions)
        #expect(actions.map(summary) == ["deadline"], "there was traffic")
        actions = []
        machine.tick(now + .seconds(40), into: &actions)
        #expect(actions.map(summary) == ["keepAlive"])
        #expect(machine.submitKeepAlive(byteCount: 12, at: now + .seconds(40), into: &actions))
        machine.willWrite()
        machine.didWrite(12, isDone: true)
        // It takes no one's reply.
        _ = machine.submit(7, byteCount: 5, deadline: now + .seconds(70), into: &actions)
        machine.willWrite()
        machine.didWrite(5, isDone: true)
        actions = []
        machine.received(FrameHeader(type: .pong, payloadByteCount: 0), into: &actions)
        machine.received(reply, into: &actions)
        #expect(actions.map(summary).first == "complete 7")
        // And a server that does not answer it is given up.
        machine.receivedBytes(at: now + .seconds(41))
        machine.tick(now + .seconds(71), into: &actions)
        actions = []
        #expect(machine.submitKeepAlive(byteCount: 12, at: now + .seconds(71), into: &actions))
        machine.tick(now + .seconds(76), into: &actions)
        #expect(actions.map(summary).last == "close silentServer")
    }

    @Test func eventsAreTakenOnlyWhereTheyAreWelcome() {
        var machine = readyMachine(now: now)
        #expect(machine.isReusable)
        machine.acceptEvents()
        #expect(!machine.isReusable)
        var actions: [Machine.Action] = []
        _ = machine.submit(1, byteCount: 1, deadline: now + .seconds(30), into: &actions)
        machine.willWrite()
        machine.didWrite(1, isDone: true)
        actions = []
        machine.received(FrameHeader(type: .changeEvent, payloadByteCount: 1), into: &actions)
        machine.received(reply, into: &actions)
        machine.received(FrameHeader(type: .changeEvent, payloadByteCount: 1), into: &actions)
        #expect(actions.map(summary) == ["event", "complete 1", "event"])
    }

    @Test func aServerThatIsNotListenedToIsNotSilent() {
        var machine = readyMachine(now: now)
        var actions: [Machine.Action] = []
        machine.acceptEvents()
        _ = machine.submit(1, byteCount: 1, deadline: now + .seconds(1), into: &actions)
        machine.willWrite()
        machine.didWrite(1, isDone: true)
        machine.readingPaused(true, at: now, into: &actions)
        machine.tick(now + .seconds(100), into: &actions)
        #expect(machine.state == .ready)
        actions = []
        machine.readingPaused(false, at: now + .seconds(100), into: &actions)
        #expect(actions.map(summary) == ["deadline"])
        machine.tick(now + .seconds(105), into: &actions)
        #expect(machine.state == .closed)
    }

    @Test func onlyTheCallWithTheHugeReplyIsToBlame() {
        var machine = readyMachine(now: now)
        var actions: [Machine.Action] = []
        for token in 1...2 { _ = machine.submit(token, byteCount: 1, deadline: now + .seconds(30), into: &actions) }
        machine.willWrite()
        machine.didWrite(2, isDone: true)
        actions = []
        machine.close(.replyTooLarge(byteCount: 9), into: &actions)
        #expect(
            actions.map(summary) == [
                "fail 1 closed(replyTooLarge(byteCount: 9)) maybeExecuted", "fail 2 closed(endOfStream) maybeExecuted",
                "close replyTooLarge(byteCount: 9)"
            ])
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
