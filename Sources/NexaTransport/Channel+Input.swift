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
            if pendingInput > 0 { deliverOwned() }
            guard isOpen, !isReadingPaused else { return }
            if mayHaveInput { readSome(untilEmpty: true) }
        }
    }

    private func readOnce(untilEmpty: Bool) {
        let room: Int
        let result: TransferResult
        if pendingInput == 0 {
            room = reactor.scratch.count
            result = socket.read(into: reactor.scratch)
        } else {
            makeRoom()
            room = input.count - inputEnd
            result = input.withUnsafeMutableBytes { socket.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[inputEnd...])) }
        }
        switch result {
        case .moved(let count):
            // A short read has emptied the socket: what comes later is a new edge.
            if count < room && !untilEmpty { mayHaveInput = false }
            if pendingInput == 0 {
                deliverScratch(count)
            } else {
                inputEnd += count
                deliverOwned()
            }
        case .wouldBlock: mayHaveInput = false
        case .endOfStream:
            isReadingEnded = true
            mayHaveInput = false
            handler?.channelReachedEnd(self)
        case .failed(let code):
            close(reason: .failed(TransportError("recv", code: code, subject: peer?.description)))
        }
    }

    /// Delivers bytes straight from the shared buffer and keeps what is left over.
    private func deliverScratch(_ count: Int) {
        guard let handler else { return }
        isDelivering = true
        let bytes = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(reactor.scratch)[..<count])
        let consumed = handler.channel(self, received: bytes.bytes)
        isDelivering = false
        precondition(consumed >= 0 && consumed <= count, "a handler consumed more than it was given")
        guard isOpen, consumed < count else { return }
        var capacity = Self.initialInput
        while capacity < count - consumed { capacity *= 2 }
        input = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, initialized in
            buffer.initialize(repeating: 0)
            UnsafeMutableRawBufferPointer(buffer).copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[consumed...]))
            initialized = capacity
        }
        inputStart = 0
        inputEnd = count - consumed
        checkInputLimit()
    }

    /// Delivers from the channel's own buffer and gives it back when it is empty.
    private func deliverOwned() {
        guard let handler else { return }
        isDelivering = true
        let available = pendingInput
        let consumed = input.withUnsafeBytes { raw in
            handler.channel(self, received: UnsafeRawBufferPointer(rebasing: raw[inputStart..<inputEnd]).bytes)
        }
        isDelivering = false
        precondition(consumed >= 0 && consumed <= available, "a handler consumed more than it was given")
        guard isOpen else { return }
        inputStart += consumed
        if pendingInput == 0 {
            input = []
            (inputStart, inputEnd) = (0, 0)
        } else {
            checkInputLimit()
        }
    }

    private func checkInputLimit() {
        if pendingInput > maximumInput { close(reason: .inputTooLarge) }
    }

    /// Makes room behind the unconsumed bytes: by moving them down, or by doubling the buffer.
    private func makeRoom() {
        guard input.count - inputEnd < Self.initialInput / 4 || inputEnd == input.count else { return }
        let pending = pendingInput
        if inputStart > 0 && pending <= input.count / 2 {
            input.withUnsafeMutableBytes { raw in
                let source = UnsafeRawBufferPointer(rebasing: raw[inputStart..<inputEnd])
                UnsafeMutableRawBufferPointer(rebasing: raw[..<pending]).copyMemory(from: source)
            }
        } else {
            let capacity = max(Self.initialInput, input.count * 2)
            let old = input
            let range = inputStart..<inputEnd
            input = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, initialized in
                buffer.initialize(repeating: 0)
                old.withUnsafeBytes {
                    UnsafeMutableRawBufferPointer(buffer).copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[range]))
                }
                initialized = capacity
            }
        }
        inputStart = 0
        inputEnd = pending
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
