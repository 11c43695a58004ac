import NexaProtocol

extension Channel {
    /// Appends bytes to the output; they leave at the end of the turn. Ignored once the channel is closing.
    public func write(_ bytes: some Sequence<UInt8>) {
        withOutput { $0.append(contentsOf: bytes) }
    }

    /// Appends bytes to the output; they leave at the end of the turn. Ignored once the channel is closing.
    public func write(_ bytes: RawSpan) {
        bytes.withUnsafeBytes { raw in withOutput { $0.append(contentsOf: raw) } }
    }

    /// Gives access to the output buffer, to encode into it without a copy. Only append.
    public func withOutput<R>(_ body: (inout [UInt8]) -> R) -> R {
        reactor.preconditionOnThread()
        guard isOpen else {
            var ignored: [UInt8] = []
            return body(&ignored)
        }
        if output.capacity == 0, let spare = reactor.spareOutputs.popLast() { output = spare }
        let result = body(&output)
        if !isDirty && pendingOutput > 0 && !isWaitingToWrite {
            isDirty = true
            reactor.dirtyChannels.append(self)
        }
        if isAboveHighWater { wasAboveHighWater = true }
        return result
    }

    /// Writes what is pending, tells the peer that this was all, waits briefly for the peer to close, and
    /// closes. Input is discarded from now on.
    public func closeAfterFlush(reason: ChannelCloseReason = .requested) {
        reactor.preconditionOnThread()
        guard isOpen else { return }
        state = .flushing(reason)
        lingerTimer = reactor.schedule(at: .now + Self.lingerTime) { [weak self] in self?.close(reason: reason) }
        // Nobody is there who could read it.
        if let filtered, !filtered.isEstablished { (output, outputStart) = ([], 0) }
        if isDelivering { reactor.runSoon { [self] in flushNow() } } else { flushNow() }
    }

    func flushAtTurnEnd() {
        isDirty = false
        flushNow()
    }

    /// Writes what is pending as far as the kernel takes it.
    public func flushNow() {
        if case .closed = state { return }
        while pendingOutput > 0 || filtered?.hasPendingOutput == true {
            switch writeOnce() {
            case .moved(let count): outputStart += count
            case .wouldBlock:
                compactOutput()
                if !isWaitingToWrite {
                    isWaitingToWrite = true
                    reactor.setWriteInterest(socket.descriptor, true)
                }
                reportDrained()
                return
            case .endOfStream: return close(reason: writeFailure(0))
            case .failed(let code): return close(reason: writeFailure(code))
            }
        }
        releaseOutput()
        if isWaitingToWrite {
            isWaitingToWrite = false
            reactor.setWriteInterest(socket.descriptor, false)
        }
        reportDrained()
        if case .flushing(let reason) = state { linger(reason) }
    }

    private func writeOnce() -> TransferResult {
        output.withUnsafeBytes { raw in
            let rest = UnsafeRawBufferPointer(rebasing: raw[outputStart...])
            guard let filtered else { return socket.write(rest) }
            guard rest.isEmpty else { return filtered.write(rest) }
            return switch filtered.flush() {
            case .done: .moved(0)
            case .blocked: .wouldBlock
            case .failed(let code): .failed(code)
            }
        }
    }

    private func writeFailure(_ code: CInt) -> ChannelCloseReason {
        .failed(TransportError("send", code: code, subject: peer?.description))
    }

    private func linger(_ reason: ChannelCloseReason) {
        if isReadingEnded { return close(reason: reason) }
        state = .lingering(reason)
        filtered?.endWriting()
        socket.shutdownWriting()
        input.removeAll()
        readSome(untilEmpty: true)
    }

    private func reportDrained() {
        guard wasAboveHighWater, pendingOutput <= lowWater, isOpen else { return }
        wasAboveHighWater = false
        handler?.channelDrained(self)
    }

    /// Cuts off what was sent once that is the larger part, so that appending stays linear.
    private func compactOutput() {
        guard outputStart > Self.keptOutputCapacity, outputStart > output.count / 2 else { return }
        output.removeFirst(outputStart)
        outputStart = 0
    }

    /// Gives an empty output buffer back: to the reactor's pool, or to the allocator when it grew big.
    private func releaseOutput() {
        outputStart = 0
        guard output.capacity > 0 else { return }
        if output.capacity <= Self.keptOutputCapacity, reactor.spareOutputs.count < Self.sparesKept {
            output.removeAll(keepingCapacity: true)
            reactor.spareOutputs.append(output)
        }
        output = []
    }
}
