import Synchronization

/// Swift concurrency on the reactor's thread.
extension Reactor: TaskExecutor {
    /// Runs a task's next piece on the reactor's thread.
    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if isOnThread {
            localJobs.append(job)
            return
        }
        let (accepted, wake) = shared.withLock { shared -> (Bool, Bool) in
            guard !shared.isStopped else { return (false, false) }
            shared.jobs.append(job)
            return (true, shared.claimWakeup())
        }
        if wake { signal() }
        if !accepted { runElsewhere(job) }
    }

    func run(_ job: UnownedJob) {
        job.runSynchronously(on: asUnownedTaskExecutor())
    }

    /// A stopped reactor must not lose jobs, or their tasks would never end: each runs on a thread of its
    /// own. Rare, since a program stops using a reactor when it shuts it down.
    private func runElsewhere(_ job: UnownedJob) {
        do throws(TransportError) {
            try SystemThread(name: "nexa-late-job") { [self] in run(job) }.detach()
        } catch {
            Task.detached { [self] in run(job) }
        }
    }
}
