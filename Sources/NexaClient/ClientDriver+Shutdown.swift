import NexaProtocol
import NexaTransport
import Synchronization

/// How a client ends.
extension ClientDriver {
    /// Nobody can make a call any more: close everything and end the thread, without waiting for it where
    /// that is the calling one.
    func abandon() {
        step { state, effects in refuseCalls(&state, &effects) }
        reactor.execute { [self] in closeEverything() }
        reactor.shutdown()
    }

    private func refuseCalls(_ state: inout State, _ effects: inout Effects) {
        guard !state.isShutDown else { return }
        state.isShutDown = true
        var actions: [Pool.Action] = []
        state.pool.close(into: &actions)
        carry(actions, &state, &effects)
    }

    /// Takes no more calls, waits for those on their way, closes everything and ends the thread.
    func shutdown(drainingFor grace: Duration) async {
        await withUnsafeContinuation { continuation in
            step { state, effects in
                state.drained.append(continuation)
                if !state.isShutDown {
                    refuseCalls(&state, &effects)
                    for lane in state.lanes.values {
                        var actions: [Machine.Action] = []
                        lane.machine.drain(into: &actions)
                        carry(actions, lane, &state, &effects)
                    }
                }
                if state.lanes.isEmpty {
                    let drained = state.drained
                    effects.add { $0.drained = drained }
                    state.drained = []
                }
            }
            let isRunning = reactor.execute { [self] in
                _ = reactor.schedule(at: .now + grace) { [self] in closeEverything() }
            }
            if !isRunning { closeEverything() }
        }
        reactor.shutdown()
    }

    /// The grace time is over.
    private func closeEverything() {
        step { state, effects in
            for lane in state.lanes.values {
                var actions: [Machine.Action] = []
                lane.machine.close(.requested, into: &actions)
                carry(actions, lane, &state, &effects)
            }
        }
    }
}
