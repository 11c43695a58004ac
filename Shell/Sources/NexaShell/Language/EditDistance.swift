/// How far apart two words are.
enum EditDistance {
    /// The number of characters to insert, delete, replace, or swap with their neighbour (optimal string alignment, after
    /// Damerau and Levenshtein). Of long words the beginning counts.
    static func between(_ first: String, _ second: String) -> Int {
        let first = Array(first.prefix(64))
        let second = Array(second.prefix(64))
        var last: [Int] = []
        var row = Array(0...second.count)
        for (index, left) in first.enumerated() {
            var next = [index + 1]
            for (column, right) in second.enumerated() {
                var best = min(row[column + 1] + 1, next[column] + 1, row[column] + (left == right ? 0 : 1))
                if index > 0, column > 0, left == second[column - 1], first[index - 1] == right {
                    best = min(best, last[column - 1] + 1)
                }
                next.append(best)
            }
            (last, row) = (row, next)
        }
        return row[second.count]
    }

    /// The word that was probably meant: at most two characters away, and less than half of the word.
    ///
    /// Of several, the nearest one counts, and of those the first in the alphabet.
    static func nearest(to word: String, among known: some Sequence<String>) -> String? {
        let word = word.lowercased()
        let length = word.count
        var best: (word: String, distance: Int)?
        for candidate in known where abs(candidate.count - length) <= 2 {
            let distance = between(word, candidate.lowercased())
            guard distance <= 2, 2 * distance < max(length, 2) else { continue }
            if let found = best, (found.distance, found.word) <= (distance, candidate) { continue }
            best = (candidate, distance)
        }
        return best?.word
    }
}
