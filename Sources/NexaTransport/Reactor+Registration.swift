import CNexaSystem
import Glibc

extension Reactor {
    /// Watches a descriptor for input, the peer's close and failures.
    ///
    /// The registration keeps the handler alive until `deregister`. An event that was already fetched when a
    /// descriptor is deregistered is recognised by its generation and dropped, even if the number is in use
    /// again by then.
    public func register(_ descriptor: CInt, _ handler: any EventHandler, forWriting: Bool = false)
        throws(TransportError)
    {
        preconditionOnThread()
        precondition(descriptor >= 0)
        nextGeneration = nextGeneration == UInt32.max - 1 ? 1 : nextGeneration + 1
        let index = Int(descriptor)
        if index >= registrations.count {
            let missing = index + 1 - registrations.count
            registrations.append(contentsOf: repeatElement(Registration(), count: missing))
        }
        precondition(registrations[index].handler == nil, "the descriptor is registered already")
        var events = NEXA_EPOLLIN | NEXA_EPOLLRDHUP | NEXA_EPOLLET
        if forWriting { events |= NEXA_EPOLLOUT }
        let word = UInt64(nextGeneration) << 32 | UInt64(index)
        guard nexa_epoll_add(epoll, descriptor, events, word) == 0 else { throw .current("epoll_ctl") }
        registrations[index] = Registration(generation: nextGeneration, events: events, handler: handler)
    }

    /// Asks for, or stops asking for, a call when the descriptor can be written to.
    public func setWriteInterest(_ descriptor: CInt, _ isWanted: Bool) {
        preconditionOnThread()
        let index = Int(descriptor)
        guard index < registrations.count, registrations[index].handler != nil else { return }
        let events =
            isWanted ? registrations[index].events | NEXA_EPOLLOUT : registrations[index].events & ~NEXA_EPOLLOUT
        guard events != registrations[index].events else { return }
        registrations[index].events = events
        let word = UInt64(registrations[index].generation) << 32 | UInt64(index)
        // Fails only for a descriptor that is not registered, which the guard above excludes.
        _ = nexa_epoll_modify(epoll, descriptor, events, word)
    }

    /// Stops watching a descriptor and lets its handler go. Must come before the descriptor is closed.
    public func deregister(_ descriptor: CInt) {
        preconditionOnThread()
        let index = Int(descriptor)
        guard index < registrations.count, registrations[index].handler != nil else { return }
        registrations[index].handler = nil
        registrations[index].generation = 0
        _ = nexa_epoll_remove(epoll, descriptor)
    }

    /// The number of descriptors being watched.
    public var registrationCount: Int {
        preconditionOnThread()
        return registrations.reduce(0) { $0 + ($1.handler == nil ? 0 : 1) }
    }
}
