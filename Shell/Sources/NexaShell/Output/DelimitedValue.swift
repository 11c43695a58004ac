import NexaValue

/// What the text of a cell of CSV or TSV means when nobody says of which type its column is.
///
/// Nothing: the document lacks the field. `true`, `false`: booleans. `null` in CSV and `\N` in TSV: null. A number in the
/// grammar of JSON: an integer, or a double when it has a fraction or an exponent; `007`, `+5` and integers of more than 64
/// bits stay text, so that no digit is lost. A time of RFC 3339 with its zone: a point in time. Text that is a whole
/// JSON object or array: that. Everything else is text; and so is every cell in quotes that is no JSON object or array.
enum DelimitedValue {
    /// The value, or `nil` for no field.
    static func infer(_ cell: ArraySlice<UInt8>, isQuoted: Bool, nullText: [UInt8]) -> Value? {
        guard let first = cell.first else { return isQuoted ? .string("") : Optional<Value>.none }
        if first == 0x7B || first == 0x5B, let value = container(cell) { return value }
        guard !isQuoted else { return text(cell) }
        if cell.elementsEqual(nullText) { return .some(.null) }
        return scalar(cell) ?? text(cell)
    }

    static func text(_ cell: ArraySlice<UInt8>) -> Value { .string(String(decoding: cell, as: UTF8.self)) }

    /// A number, a boolean or a point in time.
    static func scalar(_ cell: ArraySlice<UInt8>) -> Value? {
        guard let first = cell.first else { return nil }
        switch first {
        case UInt8(ascii: "t"): return cell.elementsEqual("true".utf8) ? .bool(true) : Optional<Value>.none
        case UInt8(ascii: "f"): return cell.elementsEqual("false".utf8) ? .bool(false) : Optional<Value>.none
        case 0x2D, 0x30...0x39: return number(cell) ?? time(cell)
        default: return Optional<Value>.none
        }
    }

    /// A number in the grammar of JSON.
    static func number(_ cell: ArraySlice<UInt8>) -> Value? {
        guard cell.count <= 400, let last = cell.last, (0x30...0x39).contains(last) else { return nil }
        var position = cell.startIndex
        if cell[position] == 0x2D { position += 1 }
        guard position < cell.endIndex, (0x30...0x39).contains(cell[position]) else { return nil }
        if cell[position] == 0x30, position + 1 < cell.endIndex, (0x30...0x39).contains(cell[position + 1]) {
            return nil
        }
        let digits = cell[position...].prefix { (0x30...0x39).contains($0) }
        if digits.endIndex == cell.endIndex {
            let text = String(decoding: cell, as: UTF8.self)
            if let number = Int64(text) { return .int(number) }
            return UInt64(text).map { Value($0) }
        }
        guard let value = try? JSON.decode(Array(cell)), case .double(let number) = value, number.isFinite else {
            return nil
        }
        return value
    }

    /// A time of RFC 3339, with its zone.
    static func time(_ cell: ArraySlice<UInt8>) -> Value? {
        guard (20...40).contains(cell.count), cell[cell.startIndex + 4] == 0x2D,
            cell[cell.startIndex + 10] | 0x20 == 0x74, !cell.contains(where: { $0 == 0x22 || $0 == 0x5C })
        else { return nil }
        let form = Array("{\"$date\":\"".utf8) + cell + Array("\"}".utf8)
        guard let value = try? JSON.decode(form, JSON.Options(readsExtendedForms: true)),
            case .timestamp = value
        else { return nil }
        return value
    }

    /// A JSON object or array.
    static func container(_ cell: ArraySlice<UInt8>) -> Value? {
        guard let last = cell.last, last == 0x7D || last == 0x5D else { return nil }
        return try? JSON.decode(Array(cell), JSON.Options(readsExtendedForms: true))
    }
}
