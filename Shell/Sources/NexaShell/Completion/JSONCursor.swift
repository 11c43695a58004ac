/// Where the end of an unfinished JSON text stands: in which objects and arrays, behind which keys, in which token.
///
/// It reads what has been typed so far, right or wrong, and never fails: what makes no sense is `Slot.nowhere`.
struct JSONCursor: Equatable, Sendable {
    /// What may come at this place.
    enum Slot: Equatable, Sendable {
        /// A key of an object.
        case key
        /// The colon behind a key.
        case colon
        /// A value: behind a colon, or in an array.
        case value
        /// A comma or a closing bracket.
        case end
        /// Within a comment.
        case nowhere
    }

    /// An open object or array.
    struct Frame: Equatable, Sendable {
        var isObject: Bool
        /// The key whose value is being written.
        var key: String?
        var slot: Slot
        /// How many values or members came before the present one.
        var index = 0
    }

    /// The word that the text ends in.
    struct Token: Equatable, Sendable {
        /// Where it begins, its quote included, in bytes.
        var start: Int
        /// Its quote, when it has one.
        var quote: UInt8?
        /// The text so far, as it is written.
        var text: [UInt8] = []

        var string: String { String(decoding: text, as: UTF8.self) }
    }

    private enum Place: Equatable {
        case between, lineComment, blockComment
    }

    private(set) var frames: [Frame] = []
    private(set) var token: Token?
    private var place = Place.between
    private var isEscaped = false
    private var previous: UInt8 = 0x20
    /// The slot outside of all brackets.
    private var outer = Slot.value
    /// Where the value ended, when it has.
    private(set) var end: Int?

    /// What may come at the end of the text, or what the token that it ends in is.
    var slot: Slot {
        guard place == .between else { return .nowhere }
        return frames.last?.slot ?? outer
    }

    /// The keys from the outside in, those of operators too.
    var keys: [String] { frames.compactMap(\.key) }

    /// The path of the field that the place belongs to: the keys that are no operators.
    ///
    /// The innermost object's key counts only where its value is being written.
    var path: String { keys.filter { !$0.hasPrefix("$") }.joined(separator: ".") }

    /// Reads the bytes of a value, from its first bracket on; stops where the value ends.
    init(_ bytes: ArraySlice<UInt8>) {
        for (index, byte) in zip(bytes.indices, bytes) {
            consume(byte, at: index)
            if frames.isEmpty, token == nil, outer == .end {
                end = index + 1
                return
            }
        }
    }

    private mutating func consume(_ byte: UInt8, at index: Int) {
        defer { previous = byte }
        switch place {
        case .lineComment:
            if byte == 0x0A { place = .between }
            return
        case .blockComment:
            if byte == 0x2F, previous == 0x2A { place = .between }
            return
        case .between: break
        }
        if let quote = token?.quote {
            if isEscaped {
                isEscaped = false
            } else if byte == 0x5C {
                isEscaped = true
            } else if byte == quote {
                return finishToken()
            }
            token?.text.append(byte)
            return
        }
        if token != nil {
            if previous == 0x2F, byte == 0x2F || byte == 0x2A, token?.text.last == 0x2F {
                token?.text.removeLast()
                if token?.text.isEmpty == true { token = nil } else { finishToken() }
                place = byte == 0x2F ? .lineComment : .blockComment
                return
            }
            guard Self.endsWord(byte) else {
                token?.text.append(byte)
                return
            }
            finishToken()
        }
        switch byte {
        case 0x20, 0x09, 0x0A, 0x0D: break
        case 0x7B: frames.append(Frame(isObject: true, slot: .key))
        case 0x5B: frames.append(Frame(isObject: false, slot: .value))
        case 0x7D, 0x5D:
            _ = frames.popLast()
            finishValue()
        case 0x3A: setSlot(.value)
        case 0x2C:
            guard let last = frames.indices.last else { return }
            frames[last].index += 1
            frames[last].key = nil
            frames[last].slot = frames[last].isObject ? .key : .value
        case 0x22, 0x27: token = Token(start: index, quote: byte)
        default: token = Token(start: index, quote: nil, text: [byte])
        }
    }

    private mutating func setSlot(_ slot: Slot) {
        if let last = frames.indices.last { frames[last].slot = slot } else { outer = slot }
    }

    private mutating func finishToken() {
        guard let done = token else { return }
        token = nil
        if let last = frames.indices.last, frames[last].slot == .key {
            frames[last].key = done.string
            frames[last].slot = .colon
        } else {
            finishValue()
        }
    }

    private mutating func finishValue() { setSlot(.end) }

    /// Whether a byte ends a word without quotes.
    static func endsWord(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x20, 0x09, 0x0A, 0x0D, 0x22, 0x27, 0x2C, 0x3A, 0x5B, 0x5D, 0x7B, 0x7D: true
        default: false
        }
    }
}
