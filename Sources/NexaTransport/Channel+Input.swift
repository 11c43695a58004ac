extension Channel {
    /// Reads and delivers a bounded amount, then lets other descriptors have their turn.
    func readSome(untilEmpty: Bool) {
        if case .lingering = state { return discardSome() }
        guard !isDelivering else { return continueReadingSoon() }
        for _ in 0..<Self.readsPerTurn {
            guard isOpen, !isReadingPaused, mayHaveInput, !isReadingEnded else { return }
            readOnce(untilEmpty: untilEmpty)
        }
        if isOpen, !isReadingPaused, mayHaveInput, !isReadingEnded { continueReadingSoon() }
    }

    func continueReadingSoon() {
        guard !isContinueScheduled else { return }
        isContinueScheduled = true
        reactor.runSoon { [self] in
            isContinueScheduled = false
            guard isOpen, !isReadingPaused else { return }
            if input.count > 0 { deliver() }
            guard isOpen, !isReadingPaused else { return }
            if mayHaveInput { readSome(untilEmpty: true) }
        }
    }

    private func readOnce(untilEmpty: Bool) {
        let result = filtered.map { input.fill(from: $0, on: reactor) } ?? input.fill(from: socket, on: reactor)
        // The handshake may have come so far that output can leave, or it has something to say itself.
        if let filtered, pendingOutput > 0 || filtered.hasPendingOutput { flushNow() }
        guard isOpen else { return }
        switch result {
        case .moved:
            // A short read has emptied the socket: what comes later is a new edge.
            if input.wasShort && !untilEmpty { mayHaveInput = false }
            deliver()
        case .wouldBlock: mayHaveInput = false
        case .endOfStream:
            isReadingEnded = true
            mayHaveInput = false
            handler?.channelReachedEnd(self)
        case .failed(let code):
            let reason = ChannelCloseReason.failed(TransportError("recv", code: code, subject: peer?.description))
            // The filter's last words tell the peer why.
            if filtered?.failure != nil { closeAfterFlush(reason: reason) } else { close(reason: reason) }
        }
    }

    private func deliver() {
        guard let handler else { return }
        isDelivering = true
        let consumed = input.withBytes(on: reactor) { handler.channel(self, received: $0) }
        isDelivering = false
        guard isOpen else { return }
        input.consume(consumed, on: reactor)
        if input.count > maximumInput { close(reason: .inputTooLarge) }
    }

    /// While closing gracefully: throws bytes away until the peer closes, so that the kernel does not turn
    /// our close into a reset that destroys the last reply on its way.
    private func discardSome() {
        guard case .lingering(let reason) = state else { return }
        while true {
            switch socket.read(into: reactor.scratch) {
            case .moved(let count):
                lingered += count
                if lingered > Self.lingerBytes { return close(reason: reason) }
            case .wouldBlock: return
            case .endOfStream, .failed: return close(reason: reason)
            }
        }
    }
}
