/// Which candidates fit what was typed, and what they have in common.
enum CompletionMatch {
    private enum Fit: Int {
        /// As it was typed.
        case exact
        /// In another case.
        case otherCase
        /// Each part between underscores begins as it was typed: `c_c` for `create_collection`.
        case abbreviation
    }

    /// The candidates that fit: exact case first, then those used last, then by name.
    static func fitting(
        _ candidates: [CompletionCandidate], _ prefix: String, _ used: [String: Int] = [:]
    ) -> [CompletionCandidate] {
        let typed = Array(prefix.utf8)
        let folded = prefix.utf8.allSatisfy { $0 < 0x80 } ? typed.map(lowered) : nil
        var found: [(candidate: CompletionCandidate, fit: Fit)] = []
        for candidate in candidates {
            if let fit = fit(candidate.text, prefix, typed, folded) { found.append((candidate, fit)) }
        }
        // An abbreviation only counts where nothing begins as it was typed.
        if found.contains(where: { $0.fit != .abbreviation }) { found.removeAll { $0.fit == .abbreviation } }
        found.sort { left, right in
            if left.fit != right.fit { return left.fit.rawValue < right.fit.rawValue }
            if !used.isEmpty {
                let leftUse = used[left.candidate.text] ?? 0
                let rightUse = used[right.candidate.text] ?? 0
                if leftUse != rightUse { return leftUse > rightUse }
            }
            return left.candidate.text < right.candidate.text
        }
        // Several sources may know the same name: the same ones stand side by side now.
        var result: [CompletionCandidate] = []
        result.reserveCapacity(found.count)
        for (candidate, _) in found where result.last != candidate { result.append(candidate) }
        return result
    }

    private static func lowered(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }

    private static func fit(_ text: String, _ prefix: String, _ typed: [UInt8], _ folded: [UInt8]?) -> Fit? {
        if text.utf8.starts(with: typed) { return .exact }
        guard let folded else {
            return text.lowercased().hasPrefix(prefix.lowercased()) ? .otherCase : nil
        }
        if text.utf8.lazy.map(lowered).starts(with: folded) { return .otherCase }
        return folded.contains(0x5F) && isAbbreviation(folded, of: text.utf8.map(lowered)) ? .abbreviation : nil
    }

    private static func isAbbreviation(_ typed: [UInt8], of text: [UInt8]) -> Bool {
        let parts = typed.split(separator: 0x5F, omittingEmptySubsequences: false)
        let whole = text.split(separator: 0x5F, omittingEmptySubsequences: false)
        return parts.count <= whole.count && zip(parts, whole).allSatisfy { $1.starts(with: $0) }
    }

    /// The longest beginning that all have, if it is at least what was typed.
    static func common(_ candidates: [CompletionCandidate], _ prefix: String) -> String? {
        guard let first = candidates.first else { return nil }
        var common = Array(first.text.unicodeScalars)
        for candidate in candidates.dropFirst() {
            let same = zip(common, candidate.text.unicodeScalars).prefix { $0 == $1 }.count
            common.removeLast(common.count - same)
        }
        var text = String.UnicodeScalarView()
        text.append(contentsOf: common)
        let result = String(text)
        let fits = fitting([CompletionCandidate(result)], prefix).isEmpty == false
        return fits && common.count >= prefix.unicodeScalars.count ? result : nil
    }
}
