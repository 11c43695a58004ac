/// Runs a piece of code once for every way in which its choices can fall.
///
/// ```swift
/// var exhaustive = Exhaustive()
/// while exhaustive.next() {
///     let first = exhaustive.choose(3), second = exhaustive.choose(2)
///     …
/// }
/// ```
///
/// The choices of a run are the digits of a number that is counted up; how many there are, and how far each
/// one goes, may depend on those before. After matklad, "Generate All the Things" (2021).
public struct Exhaustive {
    private var digits: [(value: Int, count: Int)] = []
    private var position = 0
    /// The digit that the last `next` counted up; those before it stand as they did.
    private var changed = -1
    private var isStarted = false

    /// Before the first run.
    public init() {}

    /// The choices of this run so far, to be printed when it fails.
    public var path: [Int] { digits[..<position].map(\.value) }

    /// Whether the choices of this run so far are a combination that no earlier run began with.
    public var isNewest: Bool { position > changed }

    /// Starts the next run; false when there is none.
    public mutating func next() -> Bool {
        defer { position = 0 }
        guard isStarted else {
            isStarted = true
            return true
        }
        // Digits behind the last choice of the run belong to an earlier one.
        digits.removeSubrange(position...)
        while let last = digits.popLast() {
            guard last.value + 1 < last.count else { continue }
            digits.append((last.value + 1, last.count))
            changed = digits.count - 1
            return true
        }
        return false
    }

    /// One of the numbers from 0 up to, but not including, `count`, which must be at least 1.
    public mutating func choose(_ count: Int) -> Int {
        precondition(count > 0, "there is nothing to choose from")
        if position == digits.count { digits.append((0, count)) }
        precondition(digits[position].count == count, "a run must depend on nothing but its choices")
        defer { position += 1 }
        return digits[position].value
    }

    /// One of the elements, of which there must be at least one.
    public mutating func choose<Element>(from elements: [Element]) -> Element {
        elements[choose(elements.count)]
    }
}
