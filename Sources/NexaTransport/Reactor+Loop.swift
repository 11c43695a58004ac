import CNexaSystem
import Glibc
import NexaProtocol
import Synchronization

extension Reactor {
    /// The body of the reactor's thread.
    func run() {
        threadID.store(UInt(pthread_self()), ordering: .relaxed)
        let events = UnsafeMutablePointer<epoll_event>.allocate(capacity: Self.eventsPerTurn)
        defer { events.deallocate() }
        while turn(events) {}
        stop()
    }

    /// One turn; false when the reactor shall stop.
    private func turn(_ events: UnsafeMutablePointer<epoll_event>) -> Bool {
        let count = wait(events)
        let isStopping = shared.withLock { shared -> Bool in
            shared.isAsleep = false
            swap(&closures, &shared.closures)
            if localJobs.isEmpty {
                swap(&localJobs, &shared.jobs)
            } else {
                localJobs.append(contentsOf: shared.jobs)
                shared.jobs.removeAll(keepingCapacity: true)
            }
            return shared.isStopping
        }
        for index in 0..<max(0, count) {
            dispatch(nexa_event_word(events, index), nexa_event_mask(events, index))
        }
        fireTimers()
        for closure in closures { closure() }
        closures.removeAll(keepingCapacity: true)
        runLocalWork()
        turnEnd?()
        flushDirtyChannels()
        return !isStopping
    }

    /// Sleeps until something is ready, due or handed over.
    private func wait(_ events: UnsafeMutablePointer<epoll_event>) -> CInt {
        let limit = CInt(Self.eventsPerTurn)
        let mustNotSleep = hasLocalWork || !dirtyChannels.isEmpty
        if mustNotSleep { return epoll_wait(epoll, events, limit, 0) }
        let hasWork = shared.withLock { shared -> Bool in
            if !shared.closures.isEmpty || !shared.jobs.isEmpty || shared.isStopping { return true }
            shared.isAsleep = true
            return false
        }
        if hasWork { return epoll_wait(epoll, events, limit, 0) }
        if spinning > .zero {
            let end = MonotonicInstant.now + spinning
            repeat {
                let count = epoll_wait(epoll, events, limit, 0)
                if count != 0 { return count }
            } while MonotonicInstant.now < end
        }
        return epoll_wait(epoll, events, limit, millisecondsToNextTimer())
    }

    /// Rounded up, so that a timer is due when the wait ends; -1 for no timer.
    private func millisecondsToNextTimer() -> CInt {
        guard let next = timers.next else { return -1 }
        let left = next.nanoseconds - MonotonicInstant.now.nanoseconds
        guard left > 0 else { return 0 }
        return CInt(min((left + 999_999) / 1_000_000, 1_000_000_000))
    }

    private func dispatch(_ word: UInt64, _ mask: UInt32) {
        if word == Self.wakeupWord {
            var count: UInt64 = 0
            while read(wakeup, &count, 8) < 0, errno == EINTR {}
            shared.withLock { $0.isSignalled = false }
            return
        }
        let descriptor = Int(word & 0xFFFF_FFFF)
        let generation = UInt32(word >> 32)
        guard descriptor < registrations.count, registrations[descriptor].generation == generation,
            let handler = registrations[descriptor].handler
        else { return }  // Left over from before the descriptor was closed in this very turn.
        var events: Readiness = []
        if mask & NEXA_EPOLLIN != 0 { events.insert(.readable) }
        if mask & NEXA_EPOLLOUT != 0 { events.insert(.writable) }
        if mask & (NEXA_EPOLLRDHUP | NEXA_EPOLLHUP | NEXA_EPOLLERR) != 0 { events.insert(.hangup) }
        handler.ready(events)
    }

    private func fireTimers() {
        guard timers.next != nil else { return }
        // One reading of the clock: a timer that schedules itself for "now" waits for the next turn.
        let now = MonotonicInstant.now
        while let body = timers.popExpired(now) { body() }
    }

    private var hasLocalWork: Bool { !localJobs.isEmpty || !soon.isEmpty || !deferred.isEmpty }

    /// Runs jobs and deferred closures, and what they add, for a bounded number of rounds.
    private func runLocalWork() {
        for _ in 0..<Self.jobRoundsPerTurn {
            guard hasLocalWork else { return }
            // Two arrays in turns, so that a steady state allocates nothing.
            if !soon.isEmpty {
                swap(&soon, &spareSoon)
                for body in spareSoon { body() }
                spareSoon.removeAll(keepingCapacity: true)
            }
            if !deferred.isEmpty {
                swap(&deferred, &spareDeferred)
                for work in spareDeferred { work.runDeferred() }
                spareDeferred.removeAll(keepingCapacity: true)
            }
            swap(&localJobs, &spareJobs)
            for job in spareJobs { run(job) }
            spareJobs.removeAll(keepingCapacity: true)
        }
    }

    private func flushDirtyChannels() {
        var position = 0
        while position < dirtyChannels.count {
            dirtyChannels[position].flushAtTurnEnd()
            position += 1
        }
        dirtyChannels.removeAll(keepingCapacity: true)
    }

    /// Ends the thread's work. The order matters: handlers first, since they may still hand work over.
    private func stop() {
        for descriptor in registrations.indices {
            guard let handler = registrations[descriptor].handler else { continue }
            registrations[descriptor].handler = nil
            handler.reactorStopped()
        }
        timers.removeAll()
        turnEnd = nil
        // From here on nothing more is accepted, or a busy producer could keep the thread for ever.
        shared.withLock { shared in
            shared.isStopped = true
            swap(&closures, &shared.closures)
            localJobs.append(contentsOf: shared.jobs)
            shared.jobs = []
        }
        for closure in closures { closure() }
        closures = []
        while hasLocalWork { runLocalWork() }
        while shared.withLock({ $0.isSignalled }) { drainWakeup() }
        dirtyChannels.removeAll()
        spareOutputs.removeAll()
        // Nobody writes to `wakeup` any more: a writer claims the wake-up under the lock before it writes,
        // and a claimed one has been read above.
        _ = Glibc.close(wakeup)
        _ = Glibc.close(epoll)
        threadID.store(0, ordering: .relaxed)
    }

    /// Reads a wake-up that was claimed but may not have been written yet.
    private func drainWakeup() {
        var waiting = pollfd(fd: wakeup, events: Int16(POLLIN), revents: 0)
        guard poll(&waiting, 1, -1) > 0 else { return }
        var count: UInt64 = 0
        if read(wakeup, &count, 8) == 8 { shared.withLock { $0.isSignalled = false } }
    }
}
