import CPCRE2
import Glibc
import NexaValue
import Synchronization

/// A compiled `$regex`: a Perl-compatible pattern over UTF-8 text, unanchored, by PCRE2 with its JIT compiler.
///
/// Patterns come from strangers, so every match runs under limits; the one that is hit is named in the error.
/// The compiled code is never changed after `init` and may be used by all threads at once. What a match writes to
/// (match data, match context, JIT stack) is a `Scratch`, owned by one match at a time: the pattern keeps one between
/// matches, and a match that finds it taken makes its own.
final class Pattern: @unchecked Sendable {  // the code pointer: PCRE2 never writes to compiled code; see above
    /// Steps of backtracking from one starting point.
    static let matchLimit: UInt32 = 200_000
    /// Nested backtracking points when there is no JIT.
    static let depthLimit: UInt32 = 50_000
    /// KiB of memory for backtracking when there is no JIT.
    static let heapLimit: UInt32 = 16 << 10
    /// Bytes of the JIT's own stack, which takes the place of the heap limit.
    static let maximumStack = 1 << 20
    /// Bytes of a pattern, as in MongoDB.
    static let maximumLength = 32_764
    /// Seconds of processor time that all starting points of one long string may take together.
    static let maximumSeconds = 1.0

    private let code: OpaquePointer
    private let isAnchored: Bool
    /// What every text that matches begins with, if the pattern says so: `^abc`.
    let literalPrefix: [UInt8]?
    /// Every text with the prefix matches.
    let isOnlyPrefix: Bool
    private let spare = Atomic<UnsafeMutablePointer<Scratch>?>(nil)

    /// Compiles a pattern with options out of `i` (case), `m` (`^ $` at lines), `s` (dot takes line breaks)
    /// and `x` (blanks and comments).
    init(_ pattern: String, options: String) throws(QueryError) {
        guard pattern.utf8.count <= Self.maximumLength else {
            throw .limit("$regex has more than \(Self.maximumLength) bytes")
        }
        var flags = PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C | UInt32(PCRE2_USE_OFFSET_LIMIT)
        for option in options.unicodeScalars {
            switch option {
            case "i": flags |= PCRE2_CASELESS
            case "m": flags |= PCRE2_MULTILINE
            case "s": flags |= PCRE2_DOTALL
            case "x": flags |= PCRE2_EXTENDED
            default: throw QueryError(.invalidOperand, "$options takes the letters i, m, s and x, found \"\(option)\"")
            }
        }
        var errorCode: CInt = 0
        var errorOffset = 0
        var text = pattern
        let compiled = text.withUTF8 { bytes in
            // PCRE2 wants a pointer even for no bytes.
            withUnsafePointer(to: UInt8(0)) { empty in
                pcre2_compile_8(bytes.baseAddress ?? empty, bytes.count, flags, &errorCode, &errorOffset, nil)
            }
        }
        guard let compiled else {
            throw QueryError(
                .invalidPattern,
                "$regex is not a regular expression: \(Self.message(errorCode)) at offset \(errorOffset)"
                    + " of \"\(pattern)\""
            )
        }
        code = compiled
        (literalPrefix, isOnlyPrefix) = PatternPrefix.find(in: pattern, options: options)
        // Without JIT (no executable memory), or where it declines a pattern, matching works as well, only slower.
        _ = pcre2_jit_compile_8(code, PCRE2_JIT_COMPLETE)
        var applied: UInt32 = 0
        pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_ALLOPTIONS), &applied)
        isAnchored = applied & PCRE2_ANCHORED != 0
    }

    deinit {
        spare.exchange(nil, ordering: .acquiring).map(Scratch.free)
        pcre2_code_free_8(code)
    }

    /// Whether the pattern is found anywhere in UTF-8 text.
    func matches(_ text: RawSpan) throws(QueryError) -> Bool {
        guard text.isUTF8 else { throw QueryError(corrupt: MessagePackError(.invalidUTF8, at: 0)) }
        guard let scratch = spare.exchange(nil, ordering: .acquiring) ?? Scratch.make(code) else {
            throw .limit("no memory is left to match $regex")
        }
        defer { spare.exchange(scratch, ordering: .acquiringAndReleasing).map(Scratch.free) }
        return try isMatch(text.withUnsafeBytes { bytes in search(bytes, scratch.pointee) })
    }

    /// Where the pattern is found in UTF-8 text from an offset on: the whole match, then each group, `nil` for one that
    /// took no part.
    func firstMatch(in text: [UInt8], from offset: Int) throws(QueryError) -> [Range<Int>?]? {
        guard let scratch = spare.exchange(nil, ordering: .acquiring) ?? Scratch.make(code) else {
            throw .limit("no memory is left to match $regex")
        }
        defer { spare.exchange(scratch, ordering: .acquiringAndReleasing).map(Scratch.free) }
        let result = text.withUnsafeBytes { bytes in search(bytes, from: offset, scratch.pointee) }
        guard try isMatch(result) else { return nil }
        let pairs = pcre2_get_ovector_pointer_8(scratch.pointee.data)
        let count = Int(pcre2_get_ovector_count_8(scratch.pointee.data))
        return (0..<count).map { group in
            guard group < Int(result), let start = pairs?[2 * group], let end = pairs?[2 * group + 1] else {
                return nil
            }
            // \K can end a match before it begins; a group that took no part is -1 in both places.
            return start >= 0 && start <= end && end <= text.count ? start..<end : nil
        }
    }

    private func isMatch(_ result: CInt) throws(QueryError) -> Bool {
        if result >= 0 { return true }
        switch result {
        case PCRE2_ERROR_NOMATCH: return false
        case PCRE2_ERROR_MATCHLIMIT: throw tooExpensive("\(Self.matchLimit) steps of backtracking")
        case PCRE2_ERROR_DEPTHLIMIT: throw tooExpensive("\(Self.depthLimit) nested steps")
        case PCRE2_ERROR_HEAPLIMIT: throw tooExpensive("\(Self.heapLimit) KiB of memory")
        case PCRE2_ERROR_JIT_STACKLIMIT: throw tooExpensive("\(Self.maximumStack) bytes of stack")
        case Self.timeLimit: throw tooExpensive("\(Self.maximumSeconds) s for one string")
        default: throw .limit("$regex failed: \(Self.message(result))")
        }
    }

    private func tooExpensive(_ limit: String) -> QueryError {
        .limit("$regex takes more than \(limit); make its repetitions unambiguous, or anchor it with ^")
    }

    /// Not a code of PCRE2.
    private static let timeLimit: CInt = -10_000

    /// Looks for a match at all starting points of a text.
    ///
    /// The limits of PCRE2 hold for each starting point. In a long text many of them add up, so they are tried
    /// in blocks, and the clock is read between two blocks.
    private func search(_ text: UnsafeRawBufferPointer, from first: Int = 0, _ scratch: Scratch) -> CInt {
        withUnsafePointer(to: UInt8(0)) { empty in
            let start = text.baseAddress?.assumingMemoryBound(to: UInt8.self) ?? empty
            let block = max(4096, text.count / 64)
            if text.count - first <= block || isAnchored {
                pcre2_set_offset_limit_8(scratch.context, Int(bitPattern: UInt.max))
                return pcre2_match_8(
                    code, start, text.count, first, PCRE2_NO_UTF_CHECK, scratch.data, scratch.context)
            }
            let began = Self.now()
            var offset = first
            while true {
                let last = offset + block - 1
                pcre2_set_offset_limit_8(scratch.context, last)
                let result = pcre2_match_8(
                    code, start, text.count, offset, PCRE2_NO_UTF_CHECK, scratch.data, scratch.context)
                if result != PCRE2_ERROR_NOMATCH || last >= text.count { return result }
                offset = last + 1
                while offset < text.count, text[offset] & 0xC0 == 0x80 { offset += 1 }  // to the start of a character
                if Self.now() - began > Self.maximumSeconds { return Self.timeLimit }
            }
        }
    }

    /// Processor time of this thread: a busy machine must not make a pattern fail.
    static func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    private static func message(_ code: CInt) -> String {
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = pcre2_get_error_message_8(code, &buffer, buffer.count)
        return count > 0 ? String(decoding: buffer.prefix(Int(count)), as: UTF8.self) : "error \(code)"
    }

    /// What one match writes to.
    private struct Scratch {
        let data: OpaquePointer
        let context: OpaquePointer
        let stack: OpaquePointer?

        /// Allocates one; `nil` when memory is short.
        static func make(_ code: OpaquePointer) -> UnsafeMutablePointer<Scratch>? {
            guard let context = pcre2_match_context_create_8(nil) else { return nil }
            guard let data = pcre2_match_data_create_from_pattern_8(code, nil) else {
                pcre2_match_context_free_8(context)
                return nil
            }
            // Without a stack of its own the JIT uses 32 KiB of the thread's.
            let stack = pcre2_jit_stack_create_8(32 << 10, Pattern.maximumStack, nil)
            pcre2_set_match_limit_8(context, Pattern.matchLimit)
            pcre2_set_depth_limit_8(context, Pattern.depthLimit)
            pcre2_set_heap_limit_8(context, Pattern.heapLimit)
            if let stack { pcre2_jit_stack_assign_8(context, nil, UnsafeMutableRawPointer(stack)) }
            let scratch = UnsafeMutablePointer<Scratch>.allocate(capacity: 1)
            scratch.initialize(to: Scratch(data: data, context: context, stack: stack))
            return scratch
        }

        static func free(_ scratch: UnsafeMutablePointer<Scratch>) {
            pcre2_match_data_free_8(scratch.pointee.data)
            pcre2_match_context_free_8(scratch.pointee.context)
            if let stack = scratch.pointee.stack { pcre2_jit_stack_free_8(stack) }
            scratch.deallocate()
        }
    }
}
