/// How wide the columns of a table are.
///
/// A line `│ a │ b │` takes 3 cells for each column and 1 more.
struct TableLayout: Equatable {
    /// The widths of the columns that are shown: the first ones.
    var widths: [Int]
    /// How many columns at the end are not shown.
    var hidden = 0

    /// A column is not made narrower than this; columns at the end go first.
    static let narrowest = 8

    /// The cells that a line takes.
    var total: Int { widths.reduce(1) { $0 + $1 + 3 } }

    /// Fits columns into lines of `limit` cells (`nil`: as wide as they are).
    ///
    /// All columns up to some width stay whole, the wider ones share what is left equally.
    init(natural: [Int], limit: Int?) {
        widths = natural.map { max(1, $0) }
        guard let limit, total > limit else { return }
        while widths.count > 1, widths.reduce(1, { $0 + min($1, Self.narrowest) + 3 }) > limit {
            widths.removeLast()
            hidden += 1
        }
        guard total > limit else { return }
        var left = max(widths.count, limit - 1 - 3 * widths.count)
        var shares = widths
        let order = widths.indices.sorted { (widths[$0], $0) < (widths[$1], $1) }
        for (position, column) in order.enumerated() {
            let share = left / (order.count - position)
            shares[column] = max(1, min(widths[column], share))
            left -= shares[column]
        }
        widths = shares
    }
}
