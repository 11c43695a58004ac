import CNexaVector
import NexaStorage

/// Bringing the graph up to what was put and removed.
extension VectorIndex {
    private enum Work {
        case link(position: Int, slot: UInt32, entry: (slot: UInt32, level: Int), filtered: Bool, SearchContext)
        case repair(Range<UInt32>, RepairPass.Leaving, SearchContext)
        /// Done already.
        case small
    }

    /// Links up to `limit` waiting vectors into the graph, and repairs it around removed ones, so that their memory is
    /// used again. Several threads may do so at once; they share the work.
    ///
    /// - Returns: how many were done; 0 when nothing is left to do now. What waits for a search to end is done by a
    ///   later call.
    @discardableResult
    public func link(limit: Int) -> Int {
        var done = 0
        while done < limit, let work = nextWork() {
            switch work {
            case .small: done += 1
            case .link(let position, let slot, let entry, let filtered, let context):
                let isLinked = context.link(slot, entry: entry, filtered: filtered)
                finishLink(position, slot, isLinked: isLinked, context)
                done += 1
            case .repair(let range, let leaving, let context): done += repair(range, leaving, context)
            }
        }
        return done
    }

    private func nextWork() -> Work? {
        state.wait(until: { $0.saving == nil }, deadline: { _ in nil }) { state -> Work? in
            state.reclaim()
            state.prefersRepair.toggle()
            if state.prefersRepair, let work = Self.nextRepair(&state) { return work }
            return Self.nextLink(&state) ?? Self.nextRepair(&state)
        }
    }

    private static func nextLink(_ state: inout IndexState) -> Work? {
        guard let (position, slot) = state.waiting.claim() else { return nil }
        let row = state.rows[slot]
        guard row.isAlive else {
            state.waiting.finish(position)
            state.retire([slot])
            return .small
        }
        guard let entry = state.entry else {
            state.waiting.finish(position)
            nexa_set_state(row, RowState.linked)
            state.waitingCount -= 1
            state.entry = (slot, Int(row.pointee.level))
            return .small
        }
        let context = state.begin()
        context.begin(bound: state.bound)
        state.linkers += 1
        let filtered = state.deadCount * 8 > state.linkedCount
        return .link(position: position, slot: slot, entry: entry, filtered: filtered, context)
    }

    private func finishLink(_ position: Int, _ slot: UInt32, isLinked: Bool, _ context: SearchContext) {
        state.withLock { state in
            state.waiting.finish(position)
            state.end(context)
            state.linkers -= 1
            let row = state.rows[slot]
            guard row.isAlive else {
                nexa_set_state(row, RowState.linked | RowState.dead)
                state.dead.append(slot)
                return
            }
            let level = Int(row.pointee.level)
            let mayEnter = state.entry.map { level > $0.level || !state.rows[$0.slot].isAlive && !isLinked } ?? true
            if mayEnter {
                state.entry = (slot, level)
            } else if !isLinked {
                // All it came to was dead, but somebody alive is there now.
                state.waiting.append(slot)
                return
            }
            nexa_set_state(row, RowState.linked)
            state.waitingCount -= 1
        }
        state.wakeAll()
    }

    // MARK: Repair

    /// A pass begins once one row of 64 is dead: finding the links to a row then costs about 64 looks at a row.
    private static func nextRepair(_ state: inout IndexState) -> Work? {
        if state.pass == nil {
            guard !state.dead.isEmpty, state.dead.count * 64 >= state.linkedCount else { return nil }
            for slot in state.dead { nexa_set_state(state.rows[slot], state.rows[slot].state | RowState.leaving) }
            state.pass = RepairPass(
                slots: state.dead, leaving: .init(state.dead, bound: state.bound), moment: state.epochs.now)
            state.dead = []
        }
        guard var pass = state.pass else { return nil }
        if pass.range == nil, state.epochs.isOver(pass.moment) { pass.range = 0..<state.bound }
        defer { if state.pass != nil { state.pass = pass } }
        guard let range = pass.range else { return nil }
        guard !range.isEmpty else {
            guard pass.outstanding == 0 else { return nil }
            finish(pass, &state)
            return .small
        }
        let piece = range.prefix(128)
        pass.range = piece.endIndex..<range.upperBound
        pass.outstanding += 1
        let context = state.begin()
        context.begin(bound: state.bound)
        state.linkers += 1
        return .repair(piece.startIndex..<piece.endIndex, pass.leaving, context)
    }

    private static func finish(_ pass: RepairPass, _ state: inout IndexState) {
        if let entry = state.entry, pass.leaving.contains(entry.slot) { state.entry = pass.highest }
        state.retire(pass.slots)
        state.pass = nil
        state.reclaim()
    }

    /// Repairs the rows of some slots and says how much was done, at least 1.
    private func repair(_ range: Range<UInt32>, _ leaving: RepairPass.Leaving, _ context: SearchContext) -> Int {
        var done = 0
        var alone: [UInt32] = []
        var highest: (slot: UInt32, level: Int)?
        for slot in range {
            let row = rows[slot]
            guard row.state & RowState.linked != 0, !leaving.contains(slot) else { continue }
            let level = Int(row.pointee.level)
            if row.isAlive, level > highest?.level ?? -1 { highest = (slot, level) }
            let result = context.repair(slot, leaving: leaving)
            if result.changed { done += 1 }
            if result.isAlone, row.isAlive { alone.append(slot) }
        }
        let entry = state.withLock { $0.entry }
        if let entry {
            for slot in alone where slot != entry.slot { _ = context.link(slot, entry: entry, filtered: true) }
        }
        state.withLock { state in
            state.end(context)
            state.linkers -= 1
            state.pass?.outstanding -= 1
            if let highest, highest.level > state.pass?.highest?.level ?? -1 { state.pass?.highest = highest }
        }
        state.wakeAll()
        return max(done, 1)
    }
}
