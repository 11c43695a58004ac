/// Tells when everyone who may still see a row has gone: operations enter and leave an epoch, and a new epoch begins
/// once those of the one before the last have left (as in Fraser's epoch-based reclamation, 2004).
struct Epochs {
    private var current = 0
    /// All operations of this epoch and of those before it have left.
    private var drained = -1
    private var active = (0, 0)

    /// An operation begins; the number is for `leave`.
    mutating func enter() -> Int {
        if current & 1 == 0 { active.0 += 1 } else { active.1 += 1 }
        return current
    }

    mutating func leave(_ epoch: Int) {
        if epoch & 1 == 0 { active.0 -= 1 } else { active.1 -= 1 }
    }

    /// A moment to ask about later.
    var now: Int { current }

    /// Whether all operations that began before `now` gave this number have left.
    mutating func isOver(_ moment: Int) -> Bool {
        while drained < moment {
            if drained + 1 == current { current += 1 }
            guard ((drained + 1) & 1 == 0 ? active.0 : active.1) == 0 else { return false }
            drained += 1
        }
        return true
    }
}
